import { defined } from "../assert.js";
import type { Weights } from "../statistics/columns.js";
import { eachResample, type ResampleOptions } from "../statistics/resample.js";
import { assertSettings, evidenceOf, type ChoiceInput } from "./choose.js";
import { applyRule } from "./rules.js";

/** What the score of a chosen candidate is worth on the samples that chose it. Scores 0-100, differences in points. */
export interface InSampleEstimate {
  /** The score as measured: too high on average, the more so the more candidates there are and the fewer samples. */
  readonly apparent: number;
  /** What the choice is worth on samples that did not make it; absent where no resample leaves a sample out. */
  readonly corrected?: number;
  /** The same of its difference to the full adapter. */
  readonly apparentDifference: number;
  readonly correctedDifference?: number;
  /** How often each K was chosen, by ascending K, as shares of the resamples: how far the choice hangs on the samples at hand. */
  readonly chosen: readonly { readonly boundary: number; readonly share: number }[];
  readonly resamples: number;
  readonly method: string;
}

/**
 * Frees the score of the chosen candidate from the luck that chose it ("winner's curse"): in every bootstrap resample the rule chooses anew,
 * and what it chose is scored on the samples that the resample left out. Subtracting the bootstrap's estimate of the optimism instead takes
 * away two thirds of the luck only (eval/results/simulation.md).
 * @throws what {@link chooseBoundary} does, and UsageError for options out of range.
 *
 * Source: the leave-one-out bootstrap of Efron, Estimating the Error Rate of a Prediction Rule (1983), and Efron and Tibshirani, An
 * Introduction to the Bootstrap (1993), section 17.7, with the choice of K as the rule that is fitted.
 */
export function inSampleEstimate(input: ChoiceInput, options: ResampleOptions): InSampleEstimate {
  assertSettings(input);
  const { metric } = input;
  const evidence = evidenceOf(input);
  const { full } = evidence;
  const chosen = applyRule(evidence, input).chosen;
  const times = evidence.candidates.map(() => 0);
  let [score, difference, scored, drawn] = [0, 0, 0, 0];
  eachResample(evidence.weights.total, options, (weights) => {
    const at = applyRule(evidence.weighted(weights), input).chosen;
    times[at] = defined(times[at], "the count of a candidate") + 1;
    drawn += 1;
    const leftOut = notDrawn(weights);
    if (leftOut.total === 0) return;
    const outside = evidence.weighted(leftOut);
    const value = outside.value(at, metric);
    score += value;
    difference += value - outside.value(full, metric);
    scored += 1;
  });
  const apparent = evidence.value(chosen, metric);
  return {
    apparent,
    apparentDifference: apparent - evidence.value(full, metric),
    ...(scored > 0 ? { corrected: score / scored, correctedDifference: difference / scored } : {}),
    chosen: times.flatMap((count, at) => {
      return count > 0 ? [{ boundary: evidence.boundary(at), share: count / drawn }] : [];
    }),
    resamples: drawn,
    method: "leave-one-out bootstrap, the rule applied anew in every resample",
  };
}

function notDrawn({ counts }: Weights): Weights {
  const left = counts.map((count) => (count === 0 ? 1 : 0));
  return { counts: left, total: left.reduce((sum, count) => sum + count, 0) };
}
