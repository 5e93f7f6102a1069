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

/** The x that a chi-square variable with so many degrees of freedom (above 0) stays below with probability p, 0 < p < 1. */
export function chiSquareQuantile(p: number, degreesOfFreedom: number): number {
  return jStat.chisquare.inv(p, degreesOfFreedom);
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
