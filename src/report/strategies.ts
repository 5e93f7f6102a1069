import { oneLine, paint } from "./paint.js";
import type { StrategiesResult, StrategyRow } from "../compare/strategies-result.js";
import { points, signed, signedRange } from "../choice/format-points.js";
import { shortBytes } from "./figures.js";
import { plainTable } from "./table.js";

/** Strategies side by side for a terminal. */
export function strategiesReport(result: StrategiesResult): string {
  const { label, full, base, finalSamples, selectionSamples, rule } = result;
  const table = plainTable([...strategyHeads(result)]);
  for (const row of result.rows) table.push([...strategyCells(row, result)]);
  return [
    paint.bold(`Strategies under one budget of ${compact(result.budget)} layer-tokens each, rule ${rule}`),
    table.toString(),
    `On the final part (${finalSamples} samples that no strategy has seen; ${selectionSamples} to choose by): ${label} ${points(full.value)} (${range(full)}) for the full adapter, ${points(base.value)} (${range(base)}) for the base.`,
    ...result.left.map(({ strategy, reason }) => `${strategy}: left out, ${reason}`),
    ...result.notes.map((note) => paint.yellow(oneLine(`Note: ${note}`))),
  ].join("\n");
}

/** Heads of the table of strategies. */
export function strategyHeads({ label }: Pick<StrategiesResult, "label">): readonly string[] {
  return [
    "strategy",
    "chosen",
    "keeps",
    "bytes",
    "masks x samples",
    `selection ${label}`,
    `final ${label}`,
    "final - full",
    "spent",
  ];
}

/** A row of it. */
export function strategyCells(row: StrategyRow, { budget }: Pick<StrategiesResult, "budget">): readonly string[] {
  const { finalMinusFull: paired, spent } = row;
  return [
    row.strategy,
    row.chosen,
    row.keeps,
    shortBytes(row.bytes),
    `${row.masks} x ${row.samples}`,
    points(row.selection),
    `${points(row.final.value)} (${range(row.final)})`,
    `${signed(paired.difference)} (${signedRange(paired)})`,
    `${Math.round((100 * (spent.ranking + spent.answers)) / budget)} %`,
  ];
}

function range({ low, high }: { readonly low: number; readonly high: number }): string {
  return `${points(low)} to ${points(high)}`;
}

/** 1,234,567 as 1.2M. */
function compact(value: number): string {
  return Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}
