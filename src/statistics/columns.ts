import { at } from "../assert.js";
import type { Score } from "../metrics/metric.js";
import { BoundaryError } from "../errors.js";

/** How often each sample counts: once, as often as a resample drew it, or not at all. */
export interface Weights {
  /** Whole numbers from 0, one for each sample. */
  readonly counts: Float64Array;
  /** Their sum, at least 1. */
  readonly total: number;
}

/** A score's sufficient statistics by column, so that resampling is a dot product for each. */
export interface Columns {
  /** Number of samples. */
  readonly samples: number;
  /** An array for each statistic, with a value for each sample. */
  readonly columns: readonly Float64Array[];
  readonly corpusValue: Score["corpusValue"];
  /** `binary`: a mean of zeros and ones; `mean`: a mean of values from 0 to 1; `corpus`: any other function of the sums, such as BLEU. */
  readonly kind: "binary" | "mean" | "corpus";
  /** Largest difference that two values can have, 1 standing for the whole scale. */
  readonly range: number;
}

/** Lays a score out by columns. */
export function columnsOf(score: Pick<Score, "statistics" | "corpusValue" | "isBinary" | "isUnbounded">): Columns {
  const { statistics, corpusValue, isBinary, isUnbounded } = score;
  const width = statistics[0]?.length ?? 0;
  const columns = Array.from({ length: width }, () => new Float64Array(statistics.length));
  columns.forEach((column, i) => {
    for (let sample = 0; sample < column.length; sample++) column[sample] = at(at(statistics, sample), i);
  });
  const [only] = columns;
  const isMean =
    width === 1 &&
    only !== undefined &&
    corpusValue([1], 2) === 50 &&
    corpusValue([3], 4) === 75 &&
    only.every((value) => value >= 0 && value <= 1);
  const kind = !isMean ? "corpus" : isBinary && only.every((value) => value === 0 || value === 1) ? "binary" : "mean";
  const range = isUnbounded ? Number.POSITIVE_INFINITY : 1;
  return { samples: statistics.length, columns, corpusValue, kind, range };
}

/**
 * Lays out scores of the same samples.
 * @throws BoundaryError when they differ in their number of samples, or there are none.
 */
export function pairedColumns(scores: readonly Score[]): Columns[] {
  const all = scores.map(columnsOf);
  const counts = [...new Set(all.map(({ samples }) => samples))];
  if (counts.length > 1) {
    throw new BoundaryError({
      what: "paired scores do not belong to the same samples",
      actual: `scores of ${counts.join(" and ")} samples`,
      expected: "as many of the one as of the other",
    });
  }
  if (counts[0] === 0) throw new BoundaryError({ what: "no samples to judge by", expected: "at least 1" });
  return all;
}

/** Each sample once. */
export function eachOnce(samples: number): Weights {
  return { counts: new Float64Array(samples).fill(1), total: samples };
}

/** The sums of the statistics, a number for each column. */
export function weightedSums({ columns, samples }: Columns, { counts }: Weights): Float64Array {
  const sums = new Float64Array(columns.length);
  columns.forEach((column, i) => {
    let sum = 0;
    for (let sample = 0; sample < samples; sample++) sum += (counts[sample] ?? 0) * (column[sample] ?? Number.NaN);
    sums[i] = sum;
  });
  return sums;
}

/** The metric's value, 0-100, on samples that count so often. */
export function weightedValue(columns: Columns, weights: Weights): number {
  return columns.corpusValue(weightedSums(columns, weights), weights.total);
}

/**
 * The metric's value without one sample, for each sample that counts at all: as often as it counts. The weights' total must be at least 2.
 * @returns values on the 0-100 scale and how often each counts, in the order of the samples.
 */
export function leaveOneOut(columns: Columns, weights: Weights): Float64Array {
  const sums = weightedSums(columns, weights);
  const rest = new Float64Array(sums.length);
  return Float64Array.from({ length: columns.samples }, (_, sample) => {
    if ((weights.counts[sample] ?? 0) === 0) return 0;
    columns.columns.forEach((column, i) => {
      rest[i] = (sums[i] ?? Number.NaN) - (column[sample] ?? Number.NaN);
    });
    return columns.corpusValue(rest, weights.total - 1);
  });
}
