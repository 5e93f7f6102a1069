/** Ways to find where a curve begins to rise. */
export const kneeMethods = ["kneedle", "segments"] as const;
export type KneeMethod = (typeof kneeMethods)[number];

/**
 * Index of the point at which a curve that is flat first begins to rise; undefined where it does not rise at all, or has fewer than three
 * points.
 *
 * - `kneedle`: the point farthest below the straight line from the first point to the highest, both axes scaled to 0-1 (Satopää et al.,
 *   Finding a "Kneedle" in a Haystack, 2011, for convex increasing curves). What comes behind the highest point is left out.
 * - `segments`: two straight lines that meet at a point, fitted by least squares, over the same points; the first of them level (a
 *   broken-stick regression with one change point).
 */
export function kneeOf(curve: ArrayLike<number>, method: KneeMethod): number | undefined {
  const rising = untilHighest(curve);
  const [first = 0, last = 0] = [rising[0], rising.at(-1)];
  if (rising.length < 3 || !(last > first)) return undefined;
  return method === "kneedle" ? kneedle(rising) : segments(rising);
}

function untilHighest(curve: ArrayLike<number>): number[] {
  const values = Array.from(curve);
  return values.slice(0, values.indexOf(Math.max(...values)) + 1);
}

function kneedle(curve: readonly number[]): number {
  const [first = 0, last = 0] = [curve[0], curve.at(-1)];
  const below = curve.map((value, i) => i / (curve.length - 1) - (value - first) / (last - first));
  return below.indexOf(Math.max(...below));
}

function segments(curve: readonly number[]): number {
  const errors = curve.slice(0, -1).map((_, at) => errorOf(curve, at));
  return errors.indexOf(Math.min(...errors));
}

/** Squared error of the best curve that is level up to a point and a straight line from there. */
function errorOf(curve: readonly number[], at: number): number {
  const places = curve.map((_, i) => Math.max(0, i - at));
  const n = curve.length;
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(places), mean(curve)];
  const sxy = places.reduce((sum, x, i) => sum + (x - mx) * ((curve[i] ?? 0) - my), 0);
  const sxx = places.reduce((sum, x) => sum + (x - mx) ** 2, 0);
  const slope = sxy / sxx;
  return places.reduce((sum, x, i) => sum + ((curve[i] ?? 0) - my - slope * (x - mx)) ** 2, 0);
}
