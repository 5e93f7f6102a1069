import { normalCdf, normalQuantile } from "./distributions.js";

/** Both ends of an interval, on the scale of what it is of. */
export interface Ends {
  readonly low: number;
  readonly high: number;
}

/** Values closer than this are equal: the order of summation moves the last digits of a score (0-100). */
const TIE = 1e-9;

/**
 * Percentile bootstrap: the middle `level` of the resampled values.
 *
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
 */
export function percentileEnds(resampled: Float64Array, level: number): Ends {
  const sorted = resampled.toSorted();
  const tail = (1 - level) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/**
 * Bias-corrected and accelerated bootstrap (BCa): the bias from the share of resampled values below the estimate (equal ones count half),
 * the acceleration from the jackknife. Where no value lies below or none above, half a one is assumed, so that the ends stay finite.
 * @param leftOut the estimate without each of the samples.
 *
 * Source: Efron, Better Bootstrap Confidence Intervals (1987); equal values as in SciPy's `bootstrap`.
 */
export function bcaEnds(resampled: Float64Array, estimate: number, leftOut: Float64Array, level: number): Ends {
  const sorted = resampled.toSorted();
  const below = shareBelow(sorted, estimate);
  const half = 0.5 / sorted.length;
  const bias = normalQuantile(Math.min(Math.max(below, half), 1 - half));
  const acceleration = accelerationOf(leftOut);
  const shareAt = (tail: number): number => {
    const shifted = bias + normalQuantile(tail);
    const stretch = 1 - acceleration * shifted;
    return stretch > 0 ? normalCdf(bias + shifted / stretch) : shifted > 0 ? 1 : 0;
  };
  const tail = (1 - level) / 2;
  return { low: quantile(sorted, shareAt(tail)), high: quantile(sorted, shareAt(1 - tail)) };
}

/** Quantile of sorted values with linear interpolation between neighbours, as NumPy's default. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

function shareBelow(values: Float64Array, estimate: number): number {
  let below = 0;
  for (const value of values) below += value < estimate - TIE ? 1 : value <= estimate + TIE ? 0.5 : 0;
  return below / values.length;
}

function accelerationOf(leftOut: Float64Array): number {
  const mean = leftOut.reduce((sum, value) => sum + value, 0) / leftOut.length;
  let [squares, cubes] = [0, 0];
  for (const value of leftOut) {
    squares += (mean - value) ** 2;
    cubes += (mean - value) ** 3;
  }
  return squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
}
