import { normalQuantile } from "./distributions.js";
import type { Ends } from "./bootstrap-ends.js";

/**
 * Score interval of a proportion, 0-1. It does not collapse where none or all of the samples are right.
 *
 * Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
 */
export function wilsonEnds(right: number, samples: number, level: number): Ends {
  const z = normalQuantile((1 + level) / 2);
  const share = right / samples;
  const scale = 1 + z ** 2 / samples;
  const middle = (share + z ** 2 / (2 * samples)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / samples + (z / (2 * samples)) ** 2);
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** Halvings of [-1, 1]: below the resolution of a double. */
const HALVINGS = 60;

/**
 * Score interval of the difference of two paired proportions, -1 to 1: the differences that the score test would not reject. It depends on
 * the samples that differ alone and does not collapse where none does: then it is +-z^2 / (samples + z^2).
 * @param better samples that only the first side has right; `worse` those that only the second has.
 *
 * Source: Tango, Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design (1998).
 */
export function tangoEnds(better: number, worse: number, samples: number, level: number): Ends {
  const z = normalQuantile((1 + level) / 2);
  const estimate = (better - worse) / samples;
  return {
    low: crossing((difference) => tangoScore(better, worse, samples, difference) > z, -1, estimate),
    high: crossing((difference) => tangoScore(better, worse, samples, difference) > -z, estimate, 1),
  };
}

/** The score statistic for a true difference; falls as the difference grows. */
function tangoScore(better: number, worse: number, samples: number, difference: number): number {
  const b = -better - worse + (2 * samples - better + worse) * difference;
  const c = -worse * difference * (1 - difference);
  const worseShare = (Math.sqrt(Math.max(0, b * b - 8 * samples * c)) - b) / (4 * samples);
  const variance = samples * (2 * worseShare + difference * (1 - difference));
  const excess = better - worse - samples * difference;
  return variance > 0 ? excess / Math.sqrt(variance) : excess === 0 ? 0 : Math.sign(excess) * Number.POSITIVE_INFINITY;
}

/** Where `isAbove` turns false between low, where it is true, and high. */
function crossing(isAbove: (at: number) => boolean, low: number, high: number): number {
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (isAbove(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
