import type { Candidate } from "../adapter/mask.js";
import { score, type Metric, type Score } from "../metrics/metric.js";
import type { Sample } from "../samples/sample.js";
import { withoutThoughts } from "../tasks/thoughts.js";
import type { Answers } from "./evaluate.js";

/** How one candidate did on one part of the samples. */
export interface CandidateScores {
  readonly candidate: Candidate;
  /** By the name of the metric, in the order of the table. */
  readonly scores: ReadonlyMap<string, Score>;
  readonly answers: AnswerFacts;
}

/** What the answers look like, whatever they say. */
export interface AnswerFacts {
  readonly count: number;
  /** Mean length in generated tokens. */
  readonly meanTokens: number;
  /** Answers that ended at the limit instead of by themselves. */
  readonly cutAtLimit: number;
  readonly empty: number;
}

/**
 * Scores answers. Pure: scoring again under other metrics generates nothing. Thoughts of reasoning models are not scored.
 * @param samples in the order of the answers' rows.
 */
export function scoreAnswers(
  answers: Answers,
  samples: readonly Sample[],
  metrics: readonly Metric[],
): CandidateScores {
  const predictions = answers.rows.map((row) => withoutThoughts(row.output));
  const references = samples.map((sample) => sample.references);
  const count = answers.rows.length;
  return {
    candidate: answers.candidate,
    scores: new Map(metrics.map((metric) => [metric.name, score(metric, predictions, references)])),
    answers: {
      count,
      meanTokens: answers.rows.reduce((sum, row) => sum + row.tokens.length, 0) / count,
      cutAtLimit: answers.rows.filter((row) => row.stop === "length").length,
      empty: predictions.filter((prediction) => prediction === "").length,
    },
  };
}

/** The score of a metric. @throws RangeError when the candidate was not scored with it. */
export function scoreOf(scored: CandidateScores, metric: string): Score {
  const found = scored.scores.get(metric);
  if (!found) throw new RangeError(`no score for ${metric}`);
  return found;
}
