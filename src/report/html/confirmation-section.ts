import { nameIn } from "../../run/entry-names.js";
import { points, signed, signedRange } from "../../choice/format-points.js";
import type { SweepResult } from "../../run/result.js";
import { endsOf, type End } from "../ends.js";
import { confirmationText, labelOf, metricsOf, pOf, range, type Paired } from "../figures.js";
import { chartImage } from "./chart.js";
import { differenceOption, type DifferenceRow } from "./difference-plot.js";
import { markup, type Html } from "../../html/markup.js";
import { table } from "./table.js";

type Comparison = SweepResult["confirmation"]["comparisons"][number];

const WIDTH = 620;
const ROW_HEIGHT = 34;

/** What the choice is worth: before and after beside each other, and the paired differences with all that is said of them. */
export function confirmationSection(result: SweepResult): Html {
  const { comparisons, corrected } = result.confirmation;
  const ordered = metricsOf(result).flatMap((metric) => comparisons.filter((one) => one.metric === metric));
  // Folds may choose otherwise than all samples together, so there both differences say something.
  const chosen = result.confirmation.part === "folds" ? undefined : endsOf(result).find(({ isChosen }) => isChosen);
  const [isBase, isFull] = [chosen?.isBase ?? false, chosen?.isFull ?? false];
  const correction =
    corrected &&
    markup`<p>Corrected for having been picked on these samples, the difference to the full adapter is ${signed(corrected.difference)} points (${signed(corrected.optimism)} points of optimism taken off; ${corrected.method}).</p>
`;
  return markup`<section id="confirmation" aria-labelledby="confirmation-title">
<h2 id="confirmation-title">Before and after</h2>
<p>${confirmationText(result)}.</p>
${scoreTable(result, ordered)}${differenceFigure(result, ordered, isFull)}${!isFull && differenceTable("Chosen less full, paired over the samples, in points", ordered, (one) => one.chosenMinusFull)}${!isBase && differenceTable("Chosen less base, paired over the samples, in points", ordered, (one) => one.chosenMinusBase)}${correction}<p class="beside">Better, worse and same count samples. p is two-sided, of no difference, by the test that belongs to the interval: it is below 0.05 if and only if the 95 % interval leaves out 0. Effect d is Cohen's, of the paired changes; the odds ratio that of the samples that differ. Detectable is the smallest true difference that so many samples would have shown four times in five. ${methodWords(ordered)}</p>
</section>
`;
}

function scoreTable(result: SweepResult, comparisons: readonly Comparison[]): Html {
  const { part } = result.confirmation;
  const ends = endsOf(result);
  const cell = (end: End | undefined, metric: string, value: number): Html => {
    const score = part === "folds" ? undefined : end?.candidate[part]?.scores[metric];
    return markup`${points(value)}${score && markup` <small>${range(score)}</small>`}`;
  };
  const [base, full, chosen] = [
    ends.find(({ isBase }) => isBase),
    ends.find(({ isFull }) => isFull),
    ends.find(({ isChosen }) => isChosen),
  ];
  return table<Comparison>(
    part === "folds" ? "Scores" : "Scores with 95 % intervals",
    [
      { head: "metric", cell: ({ label }) => label, align: "words" },
      { head: "base", cell: (one) => cell(base, one.metric, one.base) },
      { head: "full", cell: (one) => cell(full, one.metric, one.full) },
      {
        head: part === "folds" ? "chosen by the folds" : `chosen, ${nameIn(result, result.choice.boundary)}`,
        cell: (one) => cell(chosen, one.metric, one.chosen),
      },
    ],
    comparisons,
  );
}

function methodWords(comparisons: readonly Comparison[]): string {
  const metrics = new Map<string, string[]>();
  for (const { label, chosenMinusFull } of comparisons) {
    metrics.set(chosenMinusFull.method, [...(metrics.get(chosenMinusFull.method) ?? []), label]);
  }
  const words = [...metrics].map(([method, labels]) => `${labels.join(", ")} by ${method}`);
  return `Intervals of differences: ${words.join("; ")}.`;
}

/** Against the full adapter; against the base where the full adapter itself was chosen. */
function differenceFigure(result: SweepResult, comparisons: readonly Comparison[], isFull: boolean): Html {
  const other = isFull ? "base" : "full";
  const rows = comparisons.map(({ label, chosenMinusFull, chosenMinusBase }): DifferenceRow => {
    return { name: label, ...(isFull ? chosenMinusBase : chosenMinusFull) };
  });
  const margin = isFull ? undefined : result.choice.margin;
  const image = chartImage({
    id: "difference-chart",
    title: `The chosen K less ${other}, in points with 95 % intervals`,
    description: rows.map((row) => `${row.name}: ${signed(row.difference)}, ${signedRange(row)}`).join("; "),
    width: WIDTH,
    height: 46 + ROW_HEIGHT * rows.length,
    option: differenceOption(rows, margin),
  });
  return markup`<figure><div class="scroll" role="group" aria-label="Chosen less ${other}, as a chart" tabindex="0">
${image}</div><figcaption>Chosen less ${other} in points, with 95 % intervals: right of 0 the chosen K is better.${margin !== undefined && ` The dashed line is the margin of ${margin} points, which K may lose in ${labelOf(result, result.metric)}.`}</figcaption>
</figure>
`;
}

function differenceTable(
  caption: string,
  comparisons: readonly Comparison[],
  differenceOf: (comparison: Comparison) => Paired,
): Html {
  return table<Comparison>(
    caption,
    [
      { head: "metric", cell: ({ label }) => label, align: "words" },
      { head: "difference", cell: (one) => signed(differenceOf(one).difference) },
      { head: "95 % interval", cell: (one) => signedRange(differenceOf(one)) },
      { head: "better / worse / same", cell: (one) => countsText(differenceOf(one)) },
      { head: "p", cell: (one) => pOf(differenceOf(one)) },
      { head: "effect d", cell: (one) => optional(differenceOf(one).effect.standardized, twoDigits) },
      { head: "odds ratio", cell: (one) => optional(differenceOf(one).effect.oddsRatio, twoDigits) },
      { head: "detectable", cell: (one) => optional(differenceOf(one).smallestDetectable, points) },
    ],
    comparisons,
  );
}

function countsText({ better, worse, same }: Paired): string {
  return `${better} / ${worse} / ${same}`;
}

function optional(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? "" : text(value);
}

function twoDigits(value: number): string {
  return value.toFixed(2);
}
