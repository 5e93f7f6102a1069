import { at, defined } from "../assert.js";
import { weightedSums, weightedValue, eachOnce, type Columns } from "./columns.js";
import { fairCoinCdf } from "./distributions.js";
import { seededGenerator } from "./random.js";
import { assertWhole, resampledValues, type ResampleOptions } from "./resample.js";

/** Values closer than this are equal: the order of summation moves the last digits of a score (0-100). */
const TIE = 1e-9;

/**
 * Two-sided p of no difference by exact McNemar: of the samples that differ, as many change for the better as for the worse.
 * @returns 1 where none differs.
 *
 * Source: McNemar, Note on the Sampling Error of the Difference between Correlated Proportions (1947), as a binomial test.
 */
export function exactMcNemar(better: number, worse: number): number {
  return Math.min(1, 2 * fairCoinCdf(Math.min(better, worse), better + worse));
}

/**
 * Two-sided p of no difference by the paired bootstrap: resampled differences that lie as far from the estimate as it lies from 0. They are
 * centred on the estimate, not on their own mean, which differs from seed to seed: where a metric has few values, that moved whole ties in
 * and out of the tail (4 better and 0 worse of 100: 0.027 to 0.055 over 20 seeds, where all resamples together give 0.064).
 * @param a of the same samples as b.
 * @returns (c + 1) / (resamples + 1), above 0.
 *
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 16.4; Riezler and Maxwell, On Some Pitfalls in Automatic
 * Evaluation and Significance Testing for MT (2005), figure 2, who centre on the mean.
 */
export function pairedBootstrapTest(a: Columns, b: Columns, options: ResampleOptions): number {
  const once = eachOnce(a.samples);
  const estimate = weightedValue(a, once) - weightedValue(b, once);
  const [ofA, ofB] = resampledValues([a, b], options);
  const [left, right] = [defined(ofA, "resampled values of a"), defined(ofB, "resampled values of b")];
  const differences = left.map((value, i) => value - at(right, i));
  const extreme = differences.filter((value) => Math.abs(value - estimate) >= Math.abs(estimate) - TIE).length;
  return (extreme + 1) / (differences.length + 1);
}

/** How to shuffle. */
export interface RandomizationOptions {
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** 10,000 by default, as sacreBLEU. */
  readonly trials?: number;
}

/**
 * Two-sided p of no difference by approximate randomisation: in each trial every sample's two sides are swapped or not; counted are trials
 * whose difference is as large as the estimate. sacreBLEU counts only larger ones, which says "significant" where a metric of few values
 * ties, or where both sides are equal.
 * @param a of the same samples as b.
 * @returns (c + 1) / (trials + 1), above 0.
 *
 * Source: Noreen, Computer-Intensive Methods for Testing Hypotheses (1989); sacreBLEU `significance.py`, `paired-ar`.
 */
export function approximateRandomization(a: Columns, b: Columns, options: RandomizationOptions): number {
  const { seed, trials = 10_000 } = options;
  assertWhole("the number of trials", trials);
  const once = eachOnce(a.samples);
  const [sumsA, sumsB] = [weightedSums(a, once), weightedSums(b, once)];
  const estimate = Math.abs(a.corpusValue(sumsA, a.samples) - b.corpusValue(sumsB, b.samples));
  const changes = a.columns.map((column, i) => {
    const other = at(b.columns, i);
    return column.map((value, sample) => value - at(other, sample));
  });
  const different = Array.from({ length: a.samples }, (_, sample) => sample).filter((sample) => {
    return changes.some((change) => change[sample] !== 0);
  });
  const dense = changes.map((change) => Float64Array.from(different, (sample) => at(change, sample)));
  const generator = seededGenerator(seed);
  const swapped = new Uint8Array(different.length);
  const [shuffledA, shuffledB] = [new Float64Array(sumsA.length), new Float64Array(sumsB.length)];
  let extreme = 0;
  for (let trial = 0; trial < trials; trial++) {
    let bits = 0;
    for (let at = 0; at < swapped.length; at++) {
      if (at % 32 === 0) bits = generator.unsafeNext();
      swapped[at] = (bits >>> (at % 32)) & 1;
    }
    dense.forEach((change, i) => {
      let moved = 0;
      for (let at = 0; at < swapped.length; at++) moved += (swapped[at] ?? 0) * (change[at] ?? 0);
      shuffledA[i] = (sumsA[i] ?? 0) - moved;
      shuffledB[i] = (sumsB[i] ?? 0) + moved;
    });
    const difference = a.corpusValue(shuffledA, a.samples) - b.corpusValue(shuffledB, b.samples);
    if (Math.abs(difference) >= estimate - TIE) extreme += 1;
  }
  return (extreme + 1) / (trials + 1);
}
