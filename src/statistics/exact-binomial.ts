import type { Ends } from "./bootstrap-ends.js";

/** Halvings of [0, 1]: below the resolution of a double. */
const HALVINGS = 60;

/**
 * Exact interval of a proportion, 0-1: the shares under which at most `right`, and at least `right`, of the samples are not rarer than
 * (1 - level) / 2 each. It covers the truth at least as often as it says, and does not collapse where none or all are right.
 * @param right 0 to `samples`; at least one sample.
 *
 * Source: Clopper and Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial (1934).
 */
export function clopperPearsonEnds(right: number, samples: number, level: number): Ends {
  const tail = (1 - level) / 2;
  return {
    low: right === 0 ? 0 : shareAt((share) => 1 - binomialCdf(right - 1, samples, share) < tail),
    high: right === samples ? 1 : shareAt((share) => binomialCdf(right, samples, share) > tail),
  };
}

/** The probability of at most so many successes, 0 <= successes < tries, each of probability `share` (0 < share < 1), by summing up. */
function binomialCdf(successes: number, tries: number, share: number): number {
  let [sum, logarithm] = [0, tries * Math.log1p(-share)];
  const odds = Math.log(share) - Math.log1p(-share);
  for (let count = 0; count <= successes; count++) {
    sum += Math.exp(logarithm);
    logarithm += Math.log((tries - count) / (count + 1)) + odds;
  }
  return Math.min(1, sum);
}

/** Where a test that holds for small shares alone stops holding. */
function shareAt(isBelow: (share: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
