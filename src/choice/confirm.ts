import type { Score } from "../metrics/metric.js";
import { comparePaired } from "../statistics/paired.js";
import { scoreOf, type CandidateScores } from "./scores.js";

/** One metric of the chosen candidate beside full and base, on the same samples. Scores 0-100. */
export interface Comparison {
  readonly metric: string;
  /** Heading of its column. */
  readonly label: string;
  readonly chosen: number;
  readonly full: number;
  readonly base: number;
  readonly chosenMinusFull: PairedDifference;
  readonly chosenMinusBase: PairedDifference;
}

/** A paired difference a - b in points, with its 95 % interval, tests, and the number of samples that went each way. */
export interface PairedDifference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** How the interval was found. */
  readonly method: string;
  readonly better: number;
  readonly worse: number;
  readonly same: number;
  /** Two-sided p values of no difference. `value` is below 0.05 if and only if the interval leaves 0 out; the others decide nothing. */
  readonly p: {
    readonly value: number;
    readonly bootstrap: number;
    readonly randomization: number;
    /** For metrics of right and wrong alone, where it is `value`. */
    readonly mcnemar?: number;
  };
  /** Effect sizes: Cohen's d_z, and for metrics of right and wrong the odds ratio of the samples that differ. */
  readonly effect: { readonly standardized?: number; readonly oddsRatio?: number };
  /** The smallest true difference that so many samples could have shown (two-sided 5 %, power 80 %). */
  readonly smallestDetectable?: number;
}

/** The chosen candidate confirmed, or, where there is no holdout, looked at in-sample. */
export interface Confirmation {
  /** Samples that chose nothing, those that chose (in-sample), or each fold by the choice of the others. */
  readonly part: "holdout" | "selection" | "folds";
  readonly samples: number;
  /** In the order of the table; the primary metric is one of them. */
  readonly comparisons: readonly Comparison[];
  /** K that each fold's other samples chose; of cross-validation. */
  readonly foldBoundaries?: readonly number[];
  /** Where the samples that chose K also judge it: the primary metric's gain over full in points, corrected for having been picked. */
  readonly corrected?: { readonly difference: number; readonly optimism: number; readonly method: string };
}

/** Compares the chosen candidate with full and base, metric by metric, paired over the samples. */
export function confirm(
  part: Confirmation["part"],
  { chosen, full, base }: Readonly<Record<"chosen" | "full" | "base", CandidateScores>>,
  seed: number,
): Confirmation {
  const comparisons = [...chosen.scores.keys()].map((metric): Comparison => {
    const own = scoreOf(chosen, metric);
    const [ofFull, ofBase] = [scoreOf(full, metric), scoreOf(base, metric)];
    return {
      metric,
      label: own.label,
      chosen: own.value,
      full: ofFull.value,
      base: ofBase.value,
      chosenMinusFull: pairedDifference(own, ofFull, seed),
      chosenMinusBase: pairedDifference(own, ofBase, seed),
    };
  });
  return { part, samples: chosen.samples, comparisons };
}

/** a - b over the same samples, with all that is said of it. */
export function pairedDifference(a: Score, b: Score, seed: number): PairedDifference {
  const { estimate, low, high, method, flips, p, effect, smallestDetectable } = comparePaired(a, b, { seed });
  return {
    difference: estimate,
    low,
    high,
    method,
    // Where less is better, a higher value is the worse.
    ...(a.lowerIsBetter ? { better: flips.worse, worse: flips.better, same: flips.same } : flips),
    p,
    effect,
    ...(smallestDetectable === undefined ? {} : { smallestDetectable }),
  };
}
