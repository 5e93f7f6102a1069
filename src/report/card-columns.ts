import type { CardRow, LayerCard } from "../probe/card.js";
import type { LayerStorage } from "../probe/layer-storage.js";

/** A layer's value, with its interval where it has one. */
export interface CardValue {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** One thing that a card says of every layer, in the unit in which it is shown. */
export interface CardColumn {
  readonly title: string;
  /** Short enough for the head of a table. */
  readonly head: string;
  readonly unit: string;
  /** By layer; undefined where there is nothing to be said. */
  readonly values: readonly (CardValue | undefined)[];
  readonly format: (value: number) => string;
}

/** What of a card changes from layer to layer and was measured, in the order in which it is shown. */
export function cardColumns({ rows, score }: LayerCard): CardColumn[] {
  const column = (
    title: string,
    head: string,
    unit: string,
    of: (row: CardRow) => CardValue | undefined,
    format: (value: number) => string,
  ): CardColumn => ({ title, head, unit, values: rows.map(of), format });
  const all = [
    column("activation energy ||x||²", "activation", "", (row) => ({ value: row.activationEnergy }), short),
    column("time, base model", "µs base", "µs a token", (row) => ({ value: row.microsecondsPerToken }), short),
    column("time, full adapter", "µs full", "µs a token", (row) => plain(row.adapter?.microsecondsPerToken), short),
    column("update energy ||sBAx|| / ||Wx||", "update %", "%", (row) => plain(row.adapter?.updateEnergy, 100), short),
    column(
      "loss without the layer, minus full",
      "loss without",
      "nats a token",
      (row) => ends(row.adapter?.lossWithout),
      short,
    ),
    column(
      `${score?.label ?? "score"} without the layer, minus full`,
      `${score?.label ?? "score"} without`,
      "points",
      (row) => ends(row.adapter?.scoreWithout),
      (value) => value.toFixed(1),
    ),
    column(
      "projected residual norm",
      "residual",
      "",
      ({ residual }) => residual && { value: residual.norm, low: residual.low, high: residual.high },
      short,
    ),
  ];
  return all.filter(({ values }) => values.some((value) => value !== undefined));
}

/** A count with a letter for thousands, millions and billions, as there is little room. */
export function count(value: number): string {
  return new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** What a layer takes up, in words; a range where layers differ. */
export function storageLine({ rows }: LayerCard): string {
  const range = (values: readonly number[]): string => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least === most ? count(least) : `${count(least)} to ${count(most)}`;
  };
  const words = (of: readonly LayerStorage[]): string =>
    `${range(of.map(({ parameters }) => parameters))} parameters, ${range(of.map(({ bytes }) => bytes))} bytes`;
  const adapted = rows.flatMap(({ adapter }) => (adapter ? [adapter] : []));
  const base = `A layer of the base model: ${words(rows.map((row) => row.base))}`;
  return adapted.length === 0 ? `${base}.` : `${base}; of the adapter: ${words(adapted)}.`;
}

function plain(value: number | undefined, factor = 1): CardValue | undefined {
  return value === undefined ? undefined : { value: factor * value };
}

function ends(interval: { mean: number; low: number; high: number } | undefined): CardValue | undefined {
  return interval && { value: interval.mean, low: interval.low, high: interval.high };
}

/** Three digits, without an exponent where that reads well; nothing is "-0". */
function short(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(1);
  return size >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}
