import { nameIn } from "../../run/entry-names.js";
import { subjectOf } from "../subject.js";
import { points, signed } from "../../choice/format-points.js";
import type { SweepResult } from "../../run/result.js";
import { labelOf } from "../figures.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { table } from "./table.js";

type Rule = SweepResult["choice"]["rule"];
type Step = SweepResult["choice"]["steps"][number];
type Exclusion = SweepResult["choice"]["excluded"][number];

/** The rules in words. */
const RULES: Readonly<Record<Rule, string>> = {
  best: "the highest score on the selection; of equal ones the smallest K.",
  "one-se": "the smallest K whose score is at most one paired standard error below the best.",
  "no-worse":
    "from the full adapter down, as long as K is shown to lose less than the margin: the lower end of the paired 95 % interval of its difference to the full adapter stays above -margin. The first failure ends it.",
  paper: "15 of 32 layers scaled to the model, without a look at the scores (arXiv 2503.23360).",
};

/** Rows of a table that are in sight at once; a longer one is to be opened. */
const MOST_ROWS = 8;

/** How K was chosen: the rule, its reasons, every comparison it made, and what the floors kept out. */
export function choiceSection(result: SweepResult): Html {
  const { rule, bestBoundary, boundary } = result.choice;
  return markup`<section id="choice" aria-labelledby="choice-title">
<h2 id="choice-title">How ${subjectOf(result).head === "K" ? "K" : "the mask"} was chosen</h2>
<p>By the rule <strong>${rule}</strong>, on the selection alone: ${RULES[rule]}</p>
<ul>${shownReasons(result).map((reason) => markup`<li>${reason}</li>\n`)}${bestBoundary !== boundary && markup`<li>The highest score of those allowed is that of ${nameIn(result, bestBoundary)}.</li>\n`}</ul>
${stepTable(result)}${exclusionTable(result)}</section>
`;
}

/** The list of what the floors kept out stands in a table of its own. */
function shownReasons({ choice }: SweepResult): readonly string[] {
  return choice.excluded.length > 0 ? choice.reasons.slice(0, 1) : choice.reasons;
}

function numberOrName(result: SweepResult, boundary: number): Content {
  return result.strategy ? nameIn(result, boundary) : boundary;
}

function stepTable(result: SweepResult): Content {
  const { head } = subjectOf(result);
  const { steps, rule } = result.choice;
  return (
    steps.length > 0 &&
    table<Step>(
      "Each comparison of the rule, in its order",
      [
        { head, cell: ({ boundary }) => numberOrName(result, boundary) },
        { head: labelOf(result, result.metric), cell: ({ score }) => points(score) },
        { head: `against ${head}`, cell: ({ against }) => numberOrName(result, against) },
        { head: "difference", cell: ({ difference }) => signed(difference) },
        {
          head: rule === "no-worse" ? "lower end of its interval" : "must reach",
          cell: ({ low, limit }) => signed(rule === "no-worse" ? low : limit),
        },
        ...(rule === "no-worse" ? [{ head: "must stay above", cell: ({ limit }: Step) => signed(limit) }] : []),
        { head: "passed", cell: ({ passed }) => (passed ? "yes" : "no"), align: "words" },
      ],
      steps,
      { isMarked: ({ boundary }) => boundary === result.choice.boundary },
    )
  );
}

function exclusionTable(result: SweepResult): Content {
  const { excluded } = result.choice;
  if (excluded.length === 0) return undefined;
  const rows = table<Exclusion>(
    "Kept out by a floor",
    [
      { head: subjectOf(result).head, cell: ({ boundary }) => numberOrName(result, boundary) },
      { head: "metric", cell: ({ metric }) => labelOf(result, metric), align: "words" },
      { head: "against full", cell: ({ difference }) => signed(difference) },
      { head: "at least", cell: ({ floor }) => signed(floor) },
    ],
    excluded,
  );
  return excluded.length <= MOST_ROWS
    ? rows
    : markup`<details><summary>${excluded.length} boundaries kept out by a floor</summary>
${rows}</details>
`;
}
