import { at } from "../assert.js";
import type { Score } from "../metrics/metric.js";
import { bcaEnds, percentileEnds, type Ends } from "./bootstrap-ends.js";
import { eachOnce, leaveOneOut, pairedColumns, weightedValue, type Columns, type Weights } from "./columns.js";
import { studentQuantile, studentTwoSided } from "./distributions.js";
import type { Interval } from "./interval.js";
import { exactMcNemar } from "./paired-tests.js";
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

/** A difference with the two-sided p of no difference. The interval leaves 0 out if and only if p is below 1 - level. */
export interface Difference extends Interval {
  readonly p: number;
}

/**
 * a - b on samples that count so often, with an interval in closed form, so that a choice can be repeated in every resample, and the p of the
 * test that the interval inverts, so that words, interval and p cannot contradict each other:
 * - shares of zeros and ones: exact McNemar, and Tango's score interval, which reaches to 0 wherever McNemar does not reject. Tango's own
 *   test rejects 4 better and 0 worse of 100 (p 0.046), although 4 samples that agree are as likely as 4 equal throws of a coin (0.125).
 *   The exact test holds its level for every number of samples; it never rejects where Tango's does not (eval/results/paired-tests.md);
 * - anything else: Student's t on the samples' changes with two more, one for the better and one for the worse, each by the root mean square
 *   of the changes that were seen, or by 1 where none was (after Bonett and Price, Adjusted Wald Confidence Interval for a Difference of
 *   Binomial Proportions Based on Paired Data, 2012, whose samples all change by 1). The changes of a metric that is no mean over samples are
 *   the differences of its jackknife pseudo-values (Efron and Tibshirani 1993, chapter 11).
 */
export function analyticDifference(a: Columns, b: Columns, weights: Weights, level: number): Difference {
  const moments = changesOf(a, b, weights);
  const { sum, squares, changed, up } = moments;
  const { total } = weights;
  const estimate = weightedValue(a, weights) - weightedValue(b, weights);
  const allEqual = changed === 0 || squares * total - sum ** 2 < 1e-12;
  if (kindOf(a, b) === "binary") {
    const { low, high, p, isExtended } = binaryEnds(up, changed - up, total, level);
    const method = isExtended ? `${BINARY_METHOD}, extended to 0 by exact McNemar` : BINARY_METHOD;
    return { estimate, low: 100 * low, high: 100 * high, p, level, method, allEqual };
  }
  const { low, high, p } = adjustedEnds(moments, total, seenStep(moments), level, Math.max(a.range, b.range));
  const method = kindOf(a, b) === "corpus" ? CORPUS_METHOD : MEAN_METHOD;
  return { estimate, low: 100 * low, high: 100 * high, p, level, method, allEqual };
}

const BINARY_METHOD = "Tango score interval";
const MEAN_METHOD = "adjusted Student's t interval";
const CORPUS_METHOD = "adjusted Student's t interval of jackknife pseudo-values";

/**
 * Lower end of the interval of a - b for a claim that a is no worse, 0-100. As {@link analyticDifference}, but a mean's two more samples
 * change by the whole range: a few samples that lose everything can hide behind many that change a little, until one of them is seen.
 */
export function cautiousLow(a: Columns, b: Columns, weights: Weights, level: number): number {
  if (kindOf(a, b) !== "mean") return analyticDifference(a, b, weights, level).low;
  return 100 * adjustedEnds(momentsOf(a, b, weights), weights.total, 1, level).low;
}

/** Tango's ends with the p of exact McNemar. Counts that are expected rather than seen are rounded. */
function binaryEnds(better: number, worse: number, samples: number, level: number): TestedEnds {
  const p = exactMcNemar(Math.round(better), Math.round(worse));
  return testedEnds(tangoEnds(better, worse, samples, level), p, level);
}

interface TestedEnds extends Ends {
  readonly p: number;
  /** Whether an end was moved to 0. */
  readonly isExtended: boolean;
}

/** Ends that reach to 0 unless p rejects at 1 - level. */
function testedEnds({ low, high }: Ends, p: number, level: number): TestedEnds {
  const isExtended = p >= 1 - level && (low > 0 || high < 0);
  return isExtended ? { low: Math.min(low, 0), high: Math.max(high, 0), p, isExtended } : { low, high, p, isExtended };
}

function seenStep({ squares, changed }: Moments): number {
  return changed === 0 || squares < 1e-18 ? 1 : Math.sqrt(squares / changed);
}

/** Student's interval, within `range` (1: the whole scale), and p, after two more samples that change by `step`, one up and one down. */
function adjustedEnds(
  { sum, squares }: Pick<Moments, "sum" | "squares">,
  total: number,
  step: number,
  level: number,
  range = 1,
): TestedEnds {
  const count = total + 2;
  const center = sum / count;
  const spread = Math.max(0, squares + 2 * step ** 2 - count * center ** 2);
  const error = Math.sqrt(spread / (count - 1) / count);
  const freedom = Math.max(1, total - 1);
  const half = studentQuantile((1 + level) / 2, freedom) * error;
  const p = studentTwoSided(center / error, freedom);
  return testedEnds({ low: Math.max(-range, center - half), high: Math.min(range, center + half) }, p, level);
}

/** {@link momentsOf} for a metric of any kind: by jackknife pseudo-values where it is not a mean over samples. */
function changesOf(a: Columns, b: Columns, weights: Weights): Moments {
  if (kindOf(a, b) !== "corpus") return momentsOf(a, b, weights);
  const { counts, total } = weights;
  const estimate = (weightedValue(a, weights) - weightedValue(b, weights)) / 100;
  // From one sample nothing can be left out.
  const leftOut = total < 2 ? new Float64Array(a.samples) : subtract(leaveOneOut(a, weights), leaveOneOut(b, weights));
  const mean = leftOut.reduce((sum, value, sample) => sum + at(counts, sample) * value, 0) / total;
  let [spread, changed, up] = [0, 0, 0];
  for (let sample = 0; sample < a.samples; sample++) {
    const count = at(counts, sample);
    const deviation = ((total - 1) * (mean - at(leftOut, sample))) / 100;
    spread += count * deviation ** 2;
    if (count === 0 || isSame(a, b, sample)) continue;
    changed += count;
    if (deviation + estimate > 0) up += count;
  }
  return { sum: total * estimate, squares: spread + total * estimate ** 2, changed, up };
}

/** Whether both sides have the same statistics of a sample. */
function isSame(a: Columns, b: Columns, sample: number): boolean {
  return a.columns.every((column, i) => at(column, sample) === b.columns[i]?.[sample]);
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
