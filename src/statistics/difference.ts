import type { Score } from "../metrics/metric.js";
import { bcaEnds, percentileEnds, type Ends } from "./bootstrap-ends.js";
import { eachOnce, leaveOneOut, pairedColumns, weightedValue, type Columns, type Weights } from "./columns.js";
import { normalQuantile, studentQuantile } from "./distributions.js";
import type { Interval } from "./interval.js";
import { tangoEnds } from "./proportions.js";
import { assertLevel, RESAMPLES, resampledValues, type ResampleOptions } from "./resample.js";

/** How to make an interval of a difference. */
export interface DifferenceOptions {
  /** 0.95 by default. */
  readonly level?: number;
  /**
   * `analytic` by default: by the kind of metric, see {@link analyticDifference}. The bootstraps fall short of their level where few
   * samples differ (eval/results/simulation.md).
   */
  readonly method?: "analytic" | "percentile" | "bca";
  /** Needed by the bootstraps. */
  readonly resample?: ResampleOptions;
}

/**
 * a - b with its confidence interval, paired over their samples.
 * @throws BoundaryError when the scores differ in their number of samples, UsageError for options out of range.
 */
export function differenceInterval(a: Score, b: Score, options: DifferenceOptions = {}): Interval {
  const { level = 0.95, method = "analytic", resample = { seed: 0 } } = options;
  assertLevel(level);
  const [left, right] = pairedColumns([a, b]);
  if (!left || !right) throw new RangeError("a difference has two sides");
  const once = eachOnce(left.samples);
  if (method === "analytic") return analyticDifference(left, right, once, level);
  const estimate = weightedValue(left, once) - weightedValue(right, once);
  const leftOut = subtract(leaveOneOut(left, once), leaveOneOut(right, once));
  const [ofLeft = new Float64Array(), ofRight = new Float64Array()] = resampledValues([left, right], resample);
  const resampled = subtract(ofLeft, ofRight);
  const allEqual = left.samples === 1 || leftOut.every((value) => Math.abs(value - estimate) < 1e-12);
  const ends = allEqual
    ? { low: estimate, high: estimate }
    : method === "bca"
      ? bcaEnds(resampled, estimate, leftOut, level)
      : percentileEnds(resampled, level);
  const name = method === "bca" ? "BCa bootstrap" : "percentile bootstrap";
  const words = `paired ${name}, ${resample.resamples ?? RESAMPLES} resamples`;
  return { estimate, ...ends, level, method: words, allEqual };
}

/**
 * a - b on samples that count so often, with an interval in closed form, so that a choice can be repeated in every resample:
 * - shares of zeros and ones: Tango's score interval;
 * - means of values from 0 to 1: normal interval with two more samples, one changed for the better and one for the worse, each by the root
 *   mean square of the changes that were seen, or by 1 where none was (after Bonett and Price, Adjusted Wald Confidence Interval for a
 *   Difference of Binomial Proportions Based on Paired Data, 2012, whose samples all change by 1);
 * - anything else: Student's t with the standard error of the jackknife (Efron and Tibshirani 1993, chapter 11).
 */
export function analyticDifference(a: Columns, b: Columns, weights: Weights, level: number): Interval {
  const estimate = weightedValue(a, weights) - weightedValue(b, weights);
  const kind = kindOf(a, b);
  if (kind === "corpus") return jackknifeDifference(a, b, weights, level, estimate);
  const moments = momentsOf(a, b, weights);
  const allEqual = moments.changed === 0 || moments.squares * weights.total - moments.sum ** 2 < 1e-12;
  if (kind === "binary") {
    const { low, high } = tangoEnds(moments.up, moments.changed - moments.up, weights.total, level);
    return { estimate, low: 100 * low, high: 100 * high, level, method: "Tango score interval", allEqual };
  }
  const step = moments.changed === 0 ? 1 : Math.sqrt(moments.squares / moments.changed);
  const { low, high } = adjustedEnds(moments, weights.total, step, level);
  return { estimate, low: 100 * low, high: 100 * high, level, method: "adjusted Wald interval", allEqual };
}

/**
 * Lower end of the interval of a - b for a claim that a is no worse, 0-100. As {@link analyticDifference}, but a mean's two more samples
 * change by the whole range: a few samples that lose everything can hide behind many that change a little, until one of them is seen.
 */
export function cautiousLow(a: Columns, b: Columns, weights: Weights, level: number): number {
  if (kindOf(a, b) !== "mean") return analyticDifference(a, b, weights, level).low;
  return 100 * adjustedEnds(momentsOf(a, b, weights), weights.total, 1, level).low;
}

/** Standard error of a - b on samples that count so often, in points: how far such differences spread. */
export function differenceStandardError(a: Columns, b: Columns, weights: Weights): number {
  const { total } = weights;
  if (total < 2) return 0;
  if (kindOf(a, b) === "corpus")
    return jackknifeError(subtract(leaveOneOut(a, weights), leaveOneOut(b, weights)), weights);
  const { sum, squares } = momentsOf(a, b, weights);
  return 100 * Math.sqrt(Math.max(0, squares - sum ** 2 / total) / (total - 1) / total);
}

/** The less special kind of the two. */
export function kindOf(a: Columns, b: Columns): Columns["kind"] {
  if (a.kind === "corpus" || b.kind === "corpus") return "corpus";
  return a.kind === "binary" && b.kind === "binary" ? "binary" : "mean";
}

/** What the changes of the samples from b to a add up to, each from -1 to 1. */
export interface Moments {
  readonly sum: number;
  readonly squares: number;
  /** Samples that changed, and those of them that changed for the better. */
  readonly changed: number;
  readonly up: number;
}

/** @param a of a metric that is a mean, as b. */
export function momentsOf(a: Columns, b: Columns, { counts }: Weights): Moments {
  const [left, right] = [a.columns[0] ?? new Float64Array(), b.columns[0] ?? new Float64Array()];
  let [sum, squares, changed, up] = [0, 0, 0, 0];
  for (let sample = 0; sample < a.samples; sample++) {
    const change = (left[sample] ?? Number.NaN) - (right[sample] ?? Number.NaN);
    const count = counts[sample] ?? 0;
    if (change === 0 || count === 0) continue;
    sum += count * change;
    squares += count * change * change;
    changed += count;
    if (change > 0) up += count;
  }
  return { sum, squares, changed, up };
}

function adjustedEnds({ sum, squares }: Moments, total: number, step: number, level: number): Ends {
  const center = sum / (total + 2);
  const variance = (squares + 2 * step ** 2) / (total + 2) - center ** 2;
  const half = normalQuantile((1 + level) / 2) * Math.sqrt(Math.max(0, variance) / (total + 2));
  return { low: Math.max(-1, center - half), high: Math.min(1, center + half) };
}

function jackknifeDifference(a: Columns, b: Columns, weights: Weights, level: number, estimate: number): Interval {
  const error = differenceStandardError(a, b, weights);
  if (error < 1e-12) {
    const method = "none: all samples are equal, which says nothing of the spread";
    return { estimate, low: estimate, high: estimate, level, method, allEqual: true };
  }
  const half = studentQuantile((1 + level) / 2, weights.total - 1) * error;
  const method = "Student's t interval, standard error by the jackknife";
  return { estimate, low: estimate - half, high: estimate + half, level, method, allEqual: false };
}

function jackknifeError(leftOut: Float64Array, { counts, total }: Weights): number {
  const weighted = (of: (value: number) => number): number => {
    return leftOut.reduce((sum, value, sample) => sum + (counts[sample] ?? 0) * of(value), 0);
  };
  const mean = weighted((value) => value) / total;
  return Math.sqrt(((total - 1) / total) * weighted((value) => (value - mean) ** 2));
}

function subtract(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - (b[i] ?? Number.NaN));
}
