/** Where an axis is marked, and with what. */
export interface Tick {
  readonly at: number;
  readonly label: string;
}

/** Steps that read well: 1, 2 and 5 times a power of ten. */
const STEPS = [1, 2, 5, 10] as const;

/** The smallest of 1, 2, 5, 10, 20, ... times a power of ten that is at least this. @param least above 0. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/**
 * Bounds that hold all values, with the step between the marks of their axis: at least 1, as nothing that is drawn is told finer.
 * @param limits never passed by the bounds, such as 0 and 100.
 */
export function niceBounds(
  values: readonly number[],
  limits: { readonly least: number; readonly most: number },
): { readonly min: number; readonly max: number; readonly step: number } {
  const known = values.filter(Number.isFinite);
  const [low, high] = known.length === 0 ? [0, 1] : [Math.min(...known), Math.max(...known)];
  const step = niceStep(Math.max((high - low) / 5, 1));
  const min = Math.max(limits.least, step * Math.floor(low / step));
  const max = Math.min(limits.most, step * Math.ceil(high / step));
  if (max > min) return { min, max, step };
  return { min: Math.max(limits.least, min - step), max: Math.min(limits.most, max + step), step };
}

/**
 * Marks for an axis of boundaries, as many as stand clear of each other: the named ones first, then whole steps.
 * @param places all that could be marked, ascending.
 * @param named labels of those that must be, the most important first.
 * @param distance least distance between two marks, in layers.
 */
export function boundaryTicks(
  places: readonly number[],
  named: ReadonlyMap<number, string>,
  distance: number,
  format: (at: number) => string = String,
): readonly Tick[] {
  const ticks: Tick[] = [];
  const add = (at: number, label: string): void => {
    if (ticks.every((tick) => Math.abs(tick.at - at) >= distance)) ticks.push({ at, label });
  };
  for (const [at, label] of named) add(at, label);
  const step = Math.max(1, niceStep(Math.max(distance, 1e-6)));
  for (const at of places) if (at % step === 0) add(at, format(at));
  if (places.length <= 12) for (const at of places) add(at, format(at));
  return ticks.sort((a, b) => a.at - b.at);
}
