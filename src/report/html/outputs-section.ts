import { candidateText, subjectOf, type Subject } from "../subject.js";
import { points } from "../../choice/format-points.js";
import type { SweepResult } from "../../run/result.js";
import { endsOf, type End, type ResultPart } from "../ends.js";
import { counted, labelOf } from "../figures.js";
import { markup, type Content, type Html } from "../../html/markup.js";
import { table } from "./table.js";

/** What answers look like whatever they say, and how scores fall on groups of samples. */
export function outputsSection(result: SweepResult): Html {
  return markup`<section id="outputs" aria-labelledby="outputs-title">
<h2 id="outputs-title">The answers</h2>
${factTables(result)}${groupTable(result)}</section>
`;
}

interface FactRow {
  readonly name: string;
  readonly answers: ResultPart["answers"];
  readonly isEnd: boolean;
  readonly isChosen: boolean;
}

/** Base, full and chosen in sight; with the other boundaries to be opened. */
function factTables(result: SweepResult): Content {
  const ends = new Map(endsOf(result).map((end) => [end.candidate, end]));
  const subject = subjectOf(result);
  const rows = (["holdout", "selection"] as const).flatMap((part) =>
    result.candidates.flatMap((candidate): FactRow[] => {
      const answers = candidate[part]?.answers;
      const end = ends.get(candidate);
      const name = `${candidateText(candidate)}${end ? ` ${end.role}` : ""}, ${part}`;
      const isGenerated = answers !== undefined && answers.count > 0;
      return isGenerated ? [{ name, answers, isEnd: end !== undefined, isChosen: end?.isChosen ?? false }] : [];
    }),
  );
  const shown = rows.filter(({ isEnd }) => isEnd);
  const rest = rows.filter(({ isEnd }) => !isEnd);
  return [
    shown.length > 0 && factTable("Length and faults", shown, subject),
    rest.length > 0 &&
      markup`<details><summary>${counted(rest.length, `other ${subject.one}`, `other ${subject.several}`)}</summary>
${factTable(`Length and faults at the other ${subject.several}`, rest, subject)}</details>
`,
  ];
}

function factTable(caption: string, rows: readonly FactRow[], { head }: Subject): Html {
  return table(
    caption,
    [
      { head, cell: ({ name }) => name, align: "words" },
      { head: "answers", cell: ({ answers }) => answers.count },
      { head: "mean tokens", cell: ({ answers }) => answers.meanTokens.toFixed(1) },
      { head: "empty", cell: ({ answers }) => answers.empty },
      { head: "cut at the limit", cell: ({ answers }) => answers.cutAtLimit },
      { head: "ending in a loop", cell: ({ answers }) => answers.looping },
    ],
    rows,
    { isMarked: ({ isChosen }) => isChosen },
  );
}

/** Base, full and chosen in each group; on the holdout where there is one. */
function groupTable(result: SweepResult): Content {
  const part = result.data.holdout.length > 0 ? "holdout" : "selection";
  const ends = endsOf(result).filter(({ candidate }) => candidate[part]);
  const groups = Object.keys(ends[0]?.candidate[part]?.groups ?? {});
  const valueOf = ({ candidate }: End, group: string) => candidate[part]?.groups[group]?.[result.metric];
  return (
    groups.length > 0 &&
    table<string>(
      `${labelOf(result, result.metric)} by group (${part})`,
      [
        { head: "group", cell: (group) => group, align: "words" },
        { head: "samples", cell: (group) => (ends[0] ? valueOf(ends[0], group)?.n : undefined) },
        ...ends.map((end) => ({
          head: `${end.role}, ${candidateText(end.candidate)}`,
          cell: (group: string): Content => {
            const value = valueOf(end, group)?.value;
            return value === undefined ? "" : points(value);
          },
        })),
      ],
      groups,
    )
  );
}
