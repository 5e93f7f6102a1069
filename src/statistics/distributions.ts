import jStat from "jstat";

/** The x that a standard normal variable stays below with probability p, 0 < p < 1. */
export function normalQuantile(p: number): number {
  return jStat.normal.inv(p, 0, 1);
}

/** The probability that a standard normal variable stays below x. */
export function normalCdf(x: number): number {
  return jStat.normal.cdf(x, 0, 1);
}

/** The x that Student's t with so many degrees of freedom (at least 1) stays below with probability p, 0 < p < 1. */
export function studentQuantile(p: number, degreesOfFreedom: number): number {
  return jStat.studentt.inv(p, degreesOfFreedom);
}

/** The probability that Student's t with so many degrees of freedom (at least 1) lies as far from 0 as t, on either side. */
export function studentTwoSided(t: number, degreesOfFreedom: number): number {
  if (t === 0) return 1;
  // cdf(-|t|) rather than 1 - cdf(|t|), which keeps no digits of a small p.
  return Math.min(1, 2 * jStat.studentt.cdf(-Math.abs(t), degreesOfFreedom));
}

/** The x that a chi-square variable with so many degrees of freedom (above 0) stays below with probability p, 0 < p < 1. */
export function chiSquareQuantile(p: number, degreesOfFreedom: number): number {
  return jStat.chisquare.inv(p, degreesOfFreedom);
}

/** The probability of at least so many successes in so many tries, each of probability `share`, 0-1. */
export function binomialFrom(successes: number, tries: number, share: number): number {
  if (successes <= 0) return 1;
  if (successes > tries) return 0;
  // The regularised incomplete beta function (Abramowitz and Stegun, 26.5.24).
  return share <= 0 ? 0 : share >= 1 ? 1 : jStat.ibeta(share, successes, tries - successes + 1);
}

/** The probability of at most so many heads in `throws` throws of a fair coin, by summing up. */
export function fairCoinCdf(heads: number, throws: number): number {
  if (heads >= throws) return 1;
  let [sum, logarithm] = [0, -throws * Math.LN2];
  for (let count = 0; count <= heads; count++) {
    sum += Math.exp(logarithm);
    logarithm += Math.log((throws - count) / (count + 1));
  }
  return sum;
}
