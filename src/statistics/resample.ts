import { BoundaryError, UsageError } from "../errors.js";
import { weightedValue, type Columns, type Weights } from "./columns.js";
import { seededGenerator } from "./random.js";

/** How to resample. */
export interface ResampleOptions {
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Number of resamples; 2000 by default, enough for the ends of a 95 % interval to move by a few hundredths of its width. */
  readonly resamples?: number;
  /** Samples of each resample; as many as there are by default. */
  readonly draws?: number;
}

/** Resamples where the caller does not say. */
export const RESAMPLES = 2000;

/**
 * Draws resamples of the samples, with replacement, and hands each to `visit` as weights, which it must not keep.
 * @throws BoundaryError without samples, UsageError for a seed or number of resamples out of range.
 */
export function eachResample(
  samples: number,
  { seed, resamples = RESAMPLES, draws = samples }: ResampleOptions,
  visit: (weights: Weights, resample: number) => void,
): void {
  if (samples === 0) {
    throw new BoundaryError({ what: "no values to resample", actual: "0 samples", expected: "at least 1" });
  }
  assertWhole("the number of resamples", resamples);
  assertWhole("the size of a resample", draws);
  const generator = seededGenerator(seed);
  const weights = { counts: new Float64Array(samples), total: draws };
  const { counts } = weights;
  // Not uniformInt, which takes ten times as long to be even to the last of 2^32 numbers.
  for (let resample = 0; resample < resamples; resample++) {
    counts.fill(0);
    for (let draw = 0; draw < draws; draw++) {
      const sample = Math.floor(((generator.unsafeNext() >>> 0) / 2 ** 32) * samples);
      counts[sample] = (counts[sample] ?? 0) + 1;
    }
    visit(weights, resample);
  }
}

/**
 * The values (0-100) of several scores in the same resamples, so that what is made of them is paired.
 * @param all of the same samples.
 * @returns for each score its values, in the order of the resamples.
 */
export function resampledValues(all: readonly Columns[], options: ResampleOptions): Float64Array[] {
  const values = all.map(() => new Float64Array(options.resamples ?? RESAMPLES));
  eachResample(all[0]?.samples ?? 0, options, (weights, resample) => {
    all.forEach((columns, i) => {
      const row = values[i];
      if (row) row[resample] = weightedValue(columns, weights);
    });
  });
  return values;
}

/** @throws UsageError unless the value is a whole number from 1. */
export function assertWhole(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new UsageError({ what: `${what} is wrong`, actual: String(value), expected: "a whole number from 1" });
}

/** @throws UsageError unless the confidence level lies between 0 and 1. */
export function assertLevel(level: number): void {
  if (level > 0 && level < 1) return;
  throw new UsageError({
    what: "the confidence level is wrong",
    actual: String(level),
    expected: "a number between 0 and 1, such as 0.95",
  });
}
