import { BoundaryError, UsageError } from "../errors.js";
import { seededGenerator, uniformInt } from "./random.js";

/** How to resample. */
export interface BootstrapOptions {
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Number of resamples; 2000 by default, enough for the ends of a 95 % interval to move by a few hundredths of its width. */
  readonly resamples?: number;
  /** Share of the resampled means inside the interval, between 0 and 1; 0.95 by default. */
  readonly level?: number;
}

interface Interval {
  /** Ends of the interval, on the 0-100 scale (a difference: -100 to 100). */
  readonly low: number;
  readonly high: number;
  readonly resamples: number;
  readonly level: number;
}

/** A mean on the 0-100 scale with its confidence interval. */
export interface MeanInterval extends Interval {
  readonly mean: number;
  readonly method: "percentile bootstrap";
}

/** mean(a) - mean(b) on the 0-100 scale with its confidence interval. */
export interface DifferenceInterval extends Interval {
  readonly difference: number;
  readonly method: "paired percentile bootstrap";
}

/**
 * Percentile bootstrap interval of the mean of per-sample values (0-1).
 * Throws {@link BoundaryError} without values, {@link UsageError} for options out of range.
 *
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
 */
export function meanInterval(values: readonly number[], options: BootstrapOptions): MeanInterval {
  const { center, ...interval } = resampledMean(Float64Array.from(values), options);
  return { mean: center, ...interval, method: "percentile bootstrap" };
}

/**
 * Paired bootstrap interval of mean(a) - mean(b) over the same samples, per-sample values 0-1: what is drawn are samples, each
 * with both its values. Throws {@link BoundaryError} when the lengths differ or are 0, {@link UsageError} for options out of range.
 *
 * Source: Koehn, Statistical Significance Tests for Machine Translation Evaluation (2004).
 */
export function pairedDifference(
  a: readonly number[],
  b: readonly number[],
  options: BootstrapOptions,
): DifferenceInterval {
  const { center, ...interval } = resampledMean(Float64Array.from(differences(a, b)), options);
  return { difference: center, ...interval, method: "paired percentile bootstrap" };
}

/** Number of samples by how a compares with b: better, worse, same. Throws {@link BoundaryError} when the lengths differ. */
export function flips(
  a: readonly number[],
  b: readonly number[],
): { readonly better: number; readonly worse: number; readonly same: number } {
  const all = differences(a, b);
  const better = all.filter((difference) => difference > 0).length;
  const worse = all.filter((difference) => difference < 0).length;
  return { better, worse, same: all.length - better - worse };
}

function differences(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length !== b.length) {
    throw new BoundaryError({
      what: "paired values do not belong to the same samples",
      actual: `${a.length} and ${b.length} values`,
      expected: "as many of the one as of the other",
    });
  }
  return a.map((value, index) => value - (b[index] ?? Number.NaN));
}

function resampledMean(
  values: Float64Array,
  { seed, resamples = 2000, level = 0.95 }: BootstrapOptions,
): Interval & { readonly center: number } {
  assertOptions(values.length, resamples, level);
  const generator = seededGenerator(seed);
  const last = values.length - 1;
  const means = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    let sum = 0;
    for (let draw = 0; draw <= last; draw++) sum += values[uniformInt(generator, 0, last)] ?? Number.NaN;
    means[resample] = (100 * sum) / values.length;
  }
  means.sort();
  const tail = (1 - level) / 2;
  return {
    center: (100 * values.reduce((total, value) => total + value, 0)) / values.length,
    low: quantile(means, tail),
    high: quantile(means, 1 - tail),
    resamples,
    level,
  };
}

function assertOptions(count: number, resamples: number, level: number): void {
  if (count === 0) {
    throw new BoundaryError({ what: "no values to resample", actual: "0 samples", expected: "at least 1" });
  }
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new UsageError({
      what: "the number of resamples is wrong",
      actual: String(resamples),
      expected: "a whole number from 1",
    });
  }
  if (!(level > 0 && level < 1)) {
    throw new UsageError({
      what: "the confidence level is wrong",
      actual: String(level),
      expected: "a number between 0 and 1, such as 0.95",
    });
  }
}

/** Quantile of sorted values with linear interpolation between neighbours, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
