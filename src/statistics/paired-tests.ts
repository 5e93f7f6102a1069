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
 * Two-sided p of no difference by the paired bootstrap: resampled differences, shifted so that their middle is the estimate's, that lie as far
 * from the estimate as it lies from 0.
 * @param a of the same samples as b.
 * @returns (c + 1) / (resamples + 1), above 0.
 *
 * Source: Riezler and Maxwell, On Some Pitfalls in Automatic Evaluation and Significance Testing for MT (2005), figure 2.
 */
export function pairedBootstrapTest(a: Columns, b: Columns, options: ResampleOptions): number {
  const once = eachOnce(a.samples);
  const estimate = weightedValue(a, once) - weightedValue(b, once);
  const [ofA = new Float64Array(), ofB = new Float64Array()] = resampledValues([a, b], options);
  const differences = ofA.map((value, i) => value - (ofB[i] ?? Number.NaN));
  const middle = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const extreme = differences.filter((value) => Math.abs(value - middle) >= Math.abs(estimate) - TIE).length;
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
  const changes = a.columns.map((column, i) => column.map((value, at) => value - (b.columns[i]?.[at] ?? Number.NaN)));
  const different = Array.from({ length: a.samples }, (_, sample) => sample).filter((sample) => {
    return changes.some((change) => change[sample] !== 0);
  });
  const dense = changes.map((change) => Float64Array.from(different, (sample) => change[sample] ?? 0));
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
