import { defined } from "../assert.js";
import { oneLine, paint } from "./paint.js";
import type { SweepResult } from "../run/result.js";
import { isFullEntry, nameIn } from "../run/entry-names.js";
import { subjectOf } from "./subject.js";
import { curveChart } from "./chart.js";
import { answerLength, confirmationTitle, hasAnswers, labelOf, metricsOf, pOf, thousands } from "./figures.js";
import { leftOut, selectionTitle } from "./left-out.js";
import { points, signed, signedRange } from "../choice/format-points.js";
import { plainTable } from "./table.js";

type Candidate = SweepResult["candidates"][number];
type PartScores = NonNullable<Candidate["selection"]>;

/** The end of a sweep for a terminal: the table of boundaries, the chart, the holdout's table and the verdict in words. */
export function sweepReport(result: SweepResult): string {
  return [
    paint.bold(selectionTitle(result)),
    selectionTable(result),
    ...leftOut(result).map(({ boundaries, answered, reason }) => `${boundaries}: left after ${answered}, ${reason}`),
    "",
    ...curve(result),
    paint.bold(confirmationTitle(result)),
    confirmationTable(result),
    ...groupTable(result),
    "",
    ...result.verdict.sentences.map((sentence, i) => (i === 0 ? paint.bold(sentence) : sentence)),
    ...result.notes.map((note) => paint.yellow(oneLine(`Note: ${note}`))),
  ].join("\n");
}

/** The curve, where there is an axis: masks of which none is part of another have none. */
function curve(result: SweepResult): string[] {
  const { candidates, strategy, metric } = result;
  if (strategy && !strategy.nested) return [];
  const points = candidates.flatMap(({ boundary, selection }) => {
    const value = selection?.scores[metric]?.value;
    return value === undefined ? [] : [{ boundary, value }];
  });
  const axis = strategy ? "the number of layers kept" : "K";
  const title = `${labelOf(result, metric)} against ${axis} (selection)`;
  return [curveChart(points, title, strategy ? "layers" : "K"), ""];
}

function selectionTable(result: SweepResult): string {
  const metrics = metricsOf(result);
  const isAnswered = hasAnswers(result);
  const table = plainTable([
    subjectOf(result).head,
    ...(result.strategy ? ["keeps"] : []),
    ...metrics.map((metric) => labelOf(result, metric)),
    ...(isAnswered ? ["tokens/answer"] : []),
    "prefill tok/s",
    "decode tok/s",
    "adapter bytes",
  ]);
  for (const candidate of result.candidates) {
    const { selection } = candidate;
    if (!selection) continue;
    const isChosen = candidate.boundary === result.choice.boundary;
    const speed = result.timings.speeds.find((row) => row.boundary === candidate.boundary);
    const cells = [
      boundaryLabel(candidate, result),
      ...(result.strategy ? [candidate.keeps ?? ""] : []),
      ...metrics.map((metric) => scoreCell(selection, metric)),
      ...(isAnswered ? [answerLength(selection)] : []),
      speed?.prefillTokensPerSecond.toFixed(0) ?? "",
      speed?.decodeTokensPerSecond.toFixed(0) ?? "",
      thousands(candidate.bytes),
    ];
    table.push(isChosen ? cells.map((cell) => paint.green(cell)) : cells);
  }
  return table.toString();
}

function confirmationTable(result: SweepResult): string {
  const byMetric = new Map(result.confirmation.comparisons.map((comparison) => [comparison.metric, comparison]));
  const table = plainTable([
    "metric",
    "base",
    "full",
    result.confirmation.part === "folds" ? "chosen by fold" : `chosen (${nameIn(result, result.choice.boundary)})`,
    "chosen - full",
    "95 % interval",
    "p",
    "better/worse",
  ]);
  for (const metric of metricsOf(result)) {
    const {
      base,
      full,
      chosen,
      chosenMinusFull: paired,
    } = defined(byMetric.get(metric), `the comparison in ${metric}`);
    table.push([
      labelOf(result, metric),
      points(base),
      points(full),
      points(chosen),
      signed(paired.difference),
      signedRange(paired),
      pOf(paired),
      `${paired.better}/${paired.worse}`,
    ]);
  }
  return table.toString();
}

/** Base, full and chosen in each group, by the primary metric; on the holdout where there is one. */
function groupTable(result: SweepResult): string[] {
  const { metric, choice, data } = result;
  const part = data.holdout.length > 0 ? "holdout" : "selection";
  const columns = result.candidates.filter((candidate) => {
    const isEnd = candidate.keptModules === 0 || isFullEntry(candidate, result);
    return candidate[part] && (isEnd || candidate.boundary === choice.boundary);
  });
  const groups = Object.entries(columns[0]?.[part]?.groups ?? {});
  if (groups.length === 0) return [];
  const table = plainTable([
    "group",
    "n",
    ...columns.map((candidate) => `${result.strategy ? "" : "K="}${boundaryLabel(candidate, result)}`),
  ]);
  for (const [group, own] of groups) {
    const cells = columns.map((candidate) => points(candidate[part]?.groups[group]?.[metric]?.value ?? Number.NaN));
    table.push([group, String(own[metric]?.n ?? 0), ...cells]);
  }
  return ["", paint.bold(`${labelOf(result, metric)} by group (${part})`), table.toString()];
}

function boundaryLabel(candidate: Candidate, result: SweepResult): string {
  const { boundary, boundaries, keptModules, name } = candidate;
  if (name !== undefined) return `${name}${boundary === result.choice.boundary ? " *" : ""}`;
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
  const value = part.scores[metric]?.value;
  return value === undefined ? "" : points(value);
}
