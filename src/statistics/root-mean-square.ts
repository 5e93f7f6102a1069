import { chiSquareQuantile } from "./distributions.js";
import type { Ends } from "./bootstrap-ends.js";

/** The root of a mean of squares, with its standard error and 95 % interval. */
export interface RootMeanSquare extends Ends {
  readonly value: number;
  readonly standardError: number;
}

/**
 * Of random values with mean 0: an estimate of their standard deviation. Its square is taken for a scaled chi-square whose degrees of freedom
 * give the squares' own spread (Satterthwaite, An Approximate Distribution of Estimates of Variance Components, 1946), but are never more than
 * there are values: normal values have as many, and a few that happen to be alike must not look surer than that.
 * @param values at least two.
 */
export function rootMeanSquare(values: readonly number[]): RootMeanSquare {
  const count = values.length;
  const squares = values.map((value) => value ** 2);
  const mean = squares.reduce((sum, square) => sum + square, 0) / count;
  const value = Math.sqrt(mean);
  if (mean === 0) return { value, standardError: 0, low: 0, high: 0 };
  const variance = squares.reduce((sum, square) => sum + (square - mean) ** 2, 0) / (count - 1);
  const freedom = 2 / Math.max(2 / count, variance / count / mean ** 2);
  return {
    value,
    standardError: value / Math.sqrt(2 * freedom),
    low: value * Math.sqrt(freedom / chiSquareQuantile(0.975, freedom)),
    high: value * Math.sqrt(freedom / chiSquareQuantile(0.025, freedom)),
  };
}
