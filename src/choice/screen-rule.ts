import { at } from "../assert.js";
import { studentQuantile } from "../statistics/distributions.js";

/**
 * Share of the best candidate's probability of the references that a candidate must be able to have. Half is a wide berth: on the demo those
 * within five points of the best score have 0.96 and more, and K=1, 28 points behind, has 0.57 (docs/speed.md).
 */
export const SCREEN_LIMIT = 0.5;
/** Level of the one-sided bounds. */
const LEVEL = 0.95;

/** A candidate with its probability of each sample's reference: the geometric mean over the tokens, 0-1, which is 1 / perplexity. */
export interface ScreenedCandidate {
  readonly boundary: number;
  /** Base or full: they always pass. */
  readonly isEnd: boolean;
  /** In the same order of samples for all candidates. */
  readonly probabilities: readonly number[];
}

/** What screening says of each candidate, by ascending K. */
export interface Screening {
  readonly candidates: readonly {
    readonly boundary: number;
    /** Mean over the samples, 0-1. */
    readonly probability: number;
    /** Upper end of its share of the best candidate's probability: 1 is as probable. */
    readonly atMost: number;
    readonly passed: boolean;
  }[];
  readonly limit: number;
}

/**
 * Who could still win: a candidate must be able to find the references half as probable as the best candidate does. It fails where the one-sided
 * 95 % upper end of the paired mean of (own probability - half of the best one's) lies below 0 (Student's t). Probabilities, not their logarithms:
 * these are ruled by the few tokens that a model without the adapter's style finds next to impossible.
 */
export function screenOf(candidates: readonly ScreenedCandidate[]): Screening {
  const [first] = candidates;
  if (!first) throw new RangeError("nothing to screen");
  const best = candidates.reduce((found, one) => {
    return mean(one.probabilities) > mean(found.probabilities) ? one : found;
  }, first);
  const top = mean(best.probabilities);
  return {
    limit: SCREEN_LIMIT,
    candidates: candidates.map(({ boundary, isEnd, probabilities }) => {
      const spare = probabilities.map((own, i) => own - SCREEN_LIMIT * at(best.probabilities, i));
      const atMost = top > 0 ? Math.min(1, SCREEN_LIMIT + upperEnd(spare) / top) : 1;
      return { boundary, probability: mean(probabilities), atMost, passed: isEnd || atMost >= SCREEN_LIMIT };
    }),
  };
}

/** Upper end of Student's one-sided interval of a mean; without end for a single value. */
function upperEnd(values: readonly number[]): number {
  const count = values.length;
  if (count < 2) return Number.POSITIVE_INFINITY;
  const center = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (count - 1);
  return center + studentQuantile(LEVEL, count - 1) * Math.sqrt(variance / count);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
