import type { MergedTensor } from "../merge/merge-model.js";
import { plainTable } from "./table.js";

/** A line for each layer: how large the change is, and what rounding to the type of the weights did to it. */
export function mergeTable(tensors: readonly MergedTensor[]): string {
  const layers = new Map<string, MergedTensor[]>();
  for (const tensor of tensors) {
    const key = tensor.layer === undefined ? tensor.name.replace(/\.weight$/, "") : String(tensor.layer);
    layers.set(key, [...(layers.get(key) ?? []), tensor]);
  }
  const table = plainTable(["layer", "tensors", "types", "size of change", "relative error", "lost"]);
  const order = (key: string): number => (/^\d+$/.test(key) ? Number(key) : Infinity);
  for (const [key, group] of [...layers].sort(([a], [b]) => order(a) - order(b))) {
    const { change, error, lost } = mergeTotals(group);
    const types = new Set(
      group.map(({ types: [before, after] }) => (before === after ? after : `${before} to ${after}`)),
    );
    table.push([
      key,
      String(group.length),
      [...types].sort().join(", "),
      change.toPrecision(4),
      percent(error),
      percent(lost),
    ]);
  }
  return table.toString();
}

/** Of some tensors together. */
export function mergeTotals(tensors: readonly MergedTensor[]): Pick<MergedTensor, "change" | "error" | "lost"> {
  const squares = tensors.reduce((sum, { change }) => sum + change ** 2, 0);
  const of = (value: (tensor: MergedTensor) => number): number =>
    squares === 0 ? 0 : tensors.reduce((sum, tensor) => sum + value(tensor) * tensor.change ** 2, 0) / squares;
  return { change: Math.sqrt(squares), error: Math.sqrt(of(({ error }) => error ** 2)), lost: of(({ lost }) => lost) };
}

/** A share in percent, such as `12.3 %`. */
function percent(share: number): string {
  return share !== 0 && share < 1e-4 ? `${(100 * share).toExponential(1)} %` : `${(100 * share).toFixed(2)} %`;
}
