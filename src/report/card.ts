import type { LayerCard } from "../probe/card.js";
import { cardColumns, count, type CardValue } from "./card-columns.js";
import { plainTable } from "./table.js";

/** Pairs that a page has room for. */
const MOST_PAIRS = 12;

/** A layer card for a terminal: a row for each layer, what it is coupled with, and how sure the estimates are. */
export function cardReport(card: LayerCard): string {
  return [layerTable(card), ...couplingTable(card), footer(card)].join("\n\n");
}

function layerTable(card: LayerCard): string {
  const columns = cardColumns(card);
  const heads = ["layer", "parameters", "bytes", "adapter", "adapter bytes", ...columns.map(({ head }) => head)];
  const table = plainTable(heads);
  for (const [layer, { base, adapter }] of card.rows.entries()) {
    table.push([
      String(layer),
      count(base.parameters),
      count(base.bytes),
      adapter ? count(adapter.parameters) : "-",
      adapter ? count(adapter.bytes) : "-",
      ...columns.map(({ values, format }) => withEnds(values[layer], format)),
    ]);
  }
  return `Layer card, ${card.samples} samples\n${table.toString()}`;
}

function withEnds(value: CardValue | undefined, format: (value: number) => string): string {
  if (!value) return "-";
  const { low, high } = value;
  const text = format(value.value);
  return low === undefined || high === undefined ? text : `${text} [${format(low)}, ${format(high)}]`;
}

function couplingTable({ couplings }: LayerCard): string[] {
  if (!couplings || couplings.length === 0) return [];
  const strongest = [...couplings].sort((a, b) => Math.abs(b.change.mean) - Math.abs(a.change.mean));
  const table = plainTable(["layers", "coupling"]);
  for (const { layers, change } of strongest.slice(0, MOST_PAIRS)) {
    const digits = (value: number): string => value.toFixed(4).replace(/^-(0\.0+)$/, "$1");
    table.push([layers.join("-"), `${digits(change.mean)} [${digits(change.low)}, ${digits(change.high)}]`]);
  }
  const which = couplings.length > MOST_PAIRS ? `the ${MOST_PAIRS} strongest of ${couplings.length} pairs` : "pairs";
  return [
    `Coupling of layers, ${which}: loss without both, less what each alone adds (nats a token)\n${table.toString()}`,
  ];
}

function footer({ loss, score, rows }: LayerCard): string {
  const [residual] = rows.flatMap((row) => (row.residual ? [row.residual] : []));
  const worst = Math.max(...rows.map((row) => row.residual?.stepError ?? 0));
  return [
    "Times are medians on this machine, parameters and bytes those of the whole layer. Brackets are 95 % intervals.",
    ...(loss
      ? [
          `Loss of the references: ${loss.full.toFixed(4)} nats a token under the full adapter, ${loss.base.toFixed(4)} on the base model.`,
        ]
      : []),
    ...(score ? [`${score.label} of the full adapter: ${score.full.toFixed(1)}.`] : []),
    ...(residual
      ? [
          `Projected residual norms are estimates from ${residual.directions} random directions; the finite step adds at most ${(100 * worst).toFixed(1)} % of a norm (one direction a layer).`,
        ]
      : []),
  ].join("\n");
}
