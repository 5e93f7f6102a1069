import pc from "picocolors";
import type { SweepResult } from "../sweep/result.js";
import { curveChart } from "./chart.js";
import { plainTable } from "./table.js";

type Candidate = SweepResult["candidates"][number];
type PartScores = NonNullable<Candidate["selection"]>;

/** The end of a sweep for a terminal: the table of boundaries, the chart, the holdout's table and the verdict in words. */
export function sweepReport(result: SweepResult): string {
  const points = result.candidates.flatMap(({ boundary, selection }) => {
    const value = selection?.scores[result.metric]?.value;
    return value === undefined ? [] : [{ boundary, value }];
  });
  return [
    pc.bold(`Selection: ${result.data.selection.length} samples, every boundary`),
    selectionTable(result),
    "",
    curveChart(points, `${result.metric} against K (selection)`),
    "",
    pc.bold(confirmationTitle(result)),
    confirmationTable(result),
    "",
    ...result.verdict.sentences.map((sentence, i) => (i === 0 ? pc.bold(sentence) : sentence)),
    ...result.notes.map((note) => pc.yellow(`Note: ${note}`)),
  ].join("\n");
}

function selectionTable(result: SweepResult): string {
  const metrics = metricNames(result);
  const table = plainTable([
    "K",
    ...metrics.map(heading),
    "tokens/answer",
    "prefill tok/s",
    "decode tok/s",
    "adapter bytes",
  ]);
  for (const candidate of result.candidates) {
    const { selection } = candidate;
    if (!selection) continue;
    const isChosen = candidate.boundary === result.choice.boundary;
    const speed = result.timings.speeds.find((row) => row.boundary === candidate.boundary && row.part === "selection");
    const cells = [
      boundaryLabel(candidate, result),
      ...metrics.map((metric) => scoreCell(selection, metric)),
      selection.answers.meanTokens.toFixed(1),
      speed?.prefillTokensPerSecond.toFixed(0) ?? "",
      speed?.decodeTokensPerSecond.toFixed(0) ?? "",
      thousands(candidate.bytes),
    ];
    table.push(isChosen ? cells.map((cell) => pc.green(cell)) : cells);
  }
  return table.toString();
}

function confirmationTitle({ confirmation }: SweepResult): string {
  return confirmation.part === "holdout"
    ? `Holdout: ${confirmation.samples} samples that chose nothing`
    : `In-sample: the ${confirmation.samples} samples that also chose K (no holdout)`;
}

function confirmationTable(result: SweepResult): string {
  const { comparisons } = result.confirmation;
  const table = plainTable([
    "metric",
    "base",
    "full",
    `chosen (K=${result.choice.boundary})`,
    "chosen - full",
    "95 % interval",
    "better/worse",
  ]);
  for (const { metric, base, full, chosen, chosenMinusFull: paired } of comparisons) {
    table.push([
      heading(metric),
      base.toFixed(1),
      full.toFixed(1),
      chosen.toFixed(1),
      signed(paired.difference),
      `${signed(paired.low)} to ${signed(paired.high)}`,
      `${paired.better}/${paired.worse}`,
    ]);
  }
  return table.toString();
}

function metricNames(result: SweepResult): string[] {
  return result.confirmation.comparisons.map(({ metric }) => metric);
}

function boundaryLabel({ boundary, boundaries, keptModules }: Candidate, result: SweepResult): string {
  const others = boundaries.slice(1);
  const same =
    others.length > 0
      ? ` (= ${others.length > 1 ? `${others[0] ?? ""}-${others.at(-1) ?? ""}` : (others[0] ?? "")})`
      : "";
  const role = keptModules === 0 ? " base" : keptModules === result.adapter.modules ? " full" : "";
  const mark = boundary === result.choice.boundary ? " *" : "";
  return `${boundary}${same}${role}${mark}`;
}

function scoreCell(part: PartScores, metric: string): string {
  return part.scores[metric]?.value.toFixed(1) ?? "";
}

function heading(metric: string): string {
  return /^(em|f1)$/.test(metric) ? metric.toUpperCase() : metric;
}

function signed(value: number): string {
  const text = value.toFixed(1);
  return value > 0 && text !== "0.0" ? `+${text}` : text.replace(/^-0\.0$/, "0.0");
}

function thousands(value: number): string {
  return value.toLocaleString("en-US");
}
