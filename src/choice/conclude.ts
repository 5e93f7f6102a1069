import type { ChoiceInput } from "./choose.js";
import { confirm, pairedDifference, type Comparison, type Confirmation } from "./confirm.js";
import { crossValidate } from "./cross-validate.js";
import { scoreOf, type CandidateScores } from "./scores.js";
import { inSampleEstimate } from "./winners-curse.js";

/** Resamples of the correction, each of which applies the rule anew. */
const CORRECTION_RESAMPLES = 500;

/** What there is to judge a choice by. */
export interface ConcludeInput {
  /** Where base, full and chosen are compared. */
  readonly part: "selection" | "holdout";
  readonly compared: Readonly<Record<"chosen" | "full" | "base", CandidateScores>>;
  readonly choice: ChoiceInput;
  /** Folds of cross-validation, where there is no holdout. */
  readonly folds: number | undefined;
  readonly seed: number;
  /** A key for each sample of the selection; samples of equal keys stay in one fold. */
  readonly clusters: readonly string[];
}

/** What the choice is worth: on the holdout, by cross-validation, or in-sample with the correction for having been picked. */
export function conclude(input: ConcludeInput): Confirmation {
  const { part, compared, choice, folds, seed } = input;
  if (part === "holdout") return confirm(part, compared, seed);
  if (folds !== undefined) return byFolds(input, folds);
  const { correctedDifference, apparentDifference, method } = inSampleEstimate(choice, {
    seed,
    resamples: CORRECTION_RESAMPLES,
  });
  return {
    ...confirm(part, compared, seed),
    ...(correctedDifference === undefined
      ? {}
      : {
          corrected: { difference: correctedDifference, optimism: apparentDifference - correctedDifference, method },
        }),
  };
}

function byFolds({ compared, choice, seed, clusters }: ConcludeInput, folds: number): Confirmation {
  const validated = crossValidate(choice, { folds, seed, clusters });
  const comparisons = validated.metrics.map(({ metric, pooled }): Comparison => {
    const [full, base] = [scoreOf(compared.full, metric), scoreOf(compared.base, metric)];
    return {
      metric,
      label: pooled.label,
      chosen: pooled.value,
      full: full.value,
      base: base.value,
      chosenMinusFull: pairedDifference(pooled, full, seed),
      chosenMinusBase: pairedDifference(pooled, base, seed),
    };
  });
  return {
    part: "folds",
    samples: compared.full.samples,
    comparisons,
    foldBoundaries: validated.folds.map(({ boundary }) => boundary),
  };
}
