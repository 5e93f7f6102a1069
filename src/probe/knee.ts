import { at } from "../assert.js";

/** Ways to find where a curve begins to rise. */
export const kneeMethods = ["kneedle", "segments"] as const;
export type KneeMethod = (typeof kneeMethods)[number];

/** The part of a curve that holds its largest rise. Both are indices, and belong to it. */
export interface Rise {
  readonly start: number;
  readonly end: number;
}

/** How far above the lowest point, as a share of the rise, the points before it may lie without being left out. */
const START_WITHIN = 0.1;

/**
 * Where the largest rise of a curve, over three points or more, begins and ends. It begins with the stretch
 * around its lowest point that lies no more than a tenth of the rise above it: the first points are left out where the curve comes down from a
 * spike, as the logit lens has one at layer 0 where the token just read seems nearly certain. It ends at its highest point; what comes behind is left out.
 * @returns undefined where nothing rises, or there are fewer than three points.
 */
export function largestRise(curve: ArrayLike<number>): Rise | undefined {
  let [lowest, from, end, height] = [0, 0, 0, 0];
  for (let i = 2; i < curve.length; i++) {
    if (at(curve, i - 2) < at(curve, lowest)) lowest = i - 2;
    const rise = at(curve, i) - at(curve, lowest);
    if (rise > height) [from, end, height] = [lowest, i, rise];
  }
  if (!(height > 0)) return undefined;
  let start = from;
  while (start > 0 && at(curve, start - 1) <= at(curve, from) + START_WITHIN * height) start--;
  return { start, end };
}

/**
 * Index of the point at which a curve that is flat first begins to rise; undefined where it has no {@link largestRise}.
 *
 * - `kneedle`: the point farthest below the straight line from the first point to the highest, both axes scaled to 0-1 (Satopää et al.,
 *   Finding a "Kneedle" in a Haystack, 2011, for convex increasing curves).
 * - `segments`: two straight lines that meet at a point, fitted by least squares; the first of them level (a broken-stick regression with one
 *   change point).
 */
export function kneeOf(curve: ArrayLike<number>, method: KneeMethod): number | undefined {
  const rise = largestRise(curve);
  if (!rise) return undefined;
  const rising = Array.from(curve).slice(rise.start, rise.end + 1);
  return rise.start + (method === "kneedle" ? kneedle(rising) : segments(rising));
}

function kneedle(curve: readonly number[]): number {
  const [first, last] = [at(curve, 0), at(curve, curve.length - 1)];
  const below = curve.map((value, i) => i / (curve.length - 1) - (value - first) / (last - first));
  return below.indexOf(Math.max(...below));
}

function segments(curve: readonly number[]): number {
  const errors = curve.slice(0, -1).map((_, from) => errorOf(curve, from));
  return errors.indexOf(Math.min(...errors));
}

/** Squared error of the best curve that is level up to a point and a straight line from there. */
function errorOf(curve: readonly number[], from: number): number {
  const count = curve.length;
  const place = (i: number): number => Math.max(0, i - from);
  let [mx, my] = [0, 0];
  for (let i = 0; i < count; i++) {
    mx += place(i) / count;
    my += at(curve, i) / count;
  }
  let [sxx, sxy, syy] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [x, y] = [place(i) - mx, at(curve, i) - my];
    sxx += x * x;
    sxy += x * y;
    syy += y * y;
  }
  return syy - sxy ** 2 / sxx;
}
