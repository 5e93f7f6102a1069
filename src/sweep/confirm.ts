import { flips, pairedDifference } from "../statistics/bootstrap.js";
import { scoreOf, type CandidateScores } from "./scores.js";

/** One metric of the chosen candidate beside full and base, on the same samples. Scores 0-100. */
export interface Comparison {
  readonly metric: string;
  readonly chosen: number;
  readonly full: number;
  readonly base: number;
  readonly chosenMinusFull: PairedDifference;
  readonly chosenMinusBase: PairedDifference;
}

/** A paired difference with its 95 % interval and the number of samples that went each way. */
export interface PairedDifference {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly better: number;
  readonly worse: number;
  readonly same: number;
}

/** The chosen candidate confirmed, or, where there is no holdout, looked at in-sample. */
export interface Confirmation {
  readonly part: "holdout" | "selection";
  readonly samples: number;
  /** In the order of the table; the primary metric is one of them. */
  readonly comparisons: readonly Comparison[];
  readonly method: string;
}

/** Compares the chosen candidate with full and base, metric by metric, paired over the samples. */
export function confirm(
  part: Confirmation["part"],
  { chosen, full, base }: Readonly<Record<"chosen" | "full" | "base", CandidateScores>>,
  seed: number,
): Confirmation {
  const comparisons = [...chosen.scores.keys()].map((metric): Comparison => {
    const values = (scored: CandidateScores): readonly number[] => scoreOf(scored, metric).perSample;
    return {
      metric,
      chosen: scoreOf(chosen, metric).value,
      full: scoreOf(full, metric).value,
      base: scoreOf(base, metric).value,
      chosenMinusFull: paired(values(chosen), values(full), seed),
      chosenMinusBase: paired(values(chosen), values(base), seed),
    };
  });
  return {
    part,
    samples: chosen.answers.count,
    comparisons,
    method: "paired percentile bootstrap, 2000 resamples, 95 % interval",
  };
}

function paired(a: readonly number[], b: readonly number[], seed: number): PairedDifference {
  const { difference, low, high } = pairedDifference(a, b, { seed });
  return { difference, low, high, ...flips(a, b) };
}
