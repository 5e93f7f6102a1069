import type { Candidate } from "../adapter/mask.js";
import {
  score,
  scoreOfStatistics,
  subsetScore,
  type Metric,
  type Score,
  type TokenLikelihood,
} from "../metrics/metric.js";
import { UsageError } from "../errors.js";
import { clustered, clustersOf } from "./clusters.js";
import { endsInLoop } from "../metrics/repetition.js";
import { groupSamples } from "../samples/grouping.js";
import type { Sample } from "../samples/sample.js";
import { answerText, type AnswerReading } from "../tasks/answer-text.js";
import type { StopReason } from "../engine/engine.js";

/** An answer, as far as scores need it. */
export interface Answer {
  readonly output: string;
  /** Generated token ids, without the end-of-generation token. */
  readonly tokens: readonly number[];
  readonly stop: StopReason;
  /** How probable the first reference is, where that was weighed. */
  readonly likelihood?: TokenLikelihood | undefined;
  /** True where only the reference was weighed: the output is empty because nothing was generated. */
  readonly isWeighed?: true | undefined;
}

/** The answers of one candidate, in the order of the samples. */
export interface Answers<A extends Answer = Answer> {
  readonly candidate: Candidate;
  readonly rows: readonly A[];
}

/** How one candidate did on one part of the samples. */
export interface CandidateScores {
  readonly candidate: Candidate;
  readonly samples: number;
  /** By the name of the metric, in the order of the table. */
  readonly scores: ReadonlyMap<string, Score>;
  readonly answers: AnswerFacts;
  /** The same scores for each group of samples; empty where no grouping was asked for. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, Score>>;
}

/** What the answers look like, whatever they say. */
export interface AnswerFacts {
  /** Of those that were generated: 0 where only references were weighed. */
  readonly count: number;
  /** Mean length in generated tokens; 0 without answers. */
  readonly meanTokens: number;
  /** Answers that ended at the limit instead of by themselves. */
  readonly cutAtLimit: number;
  readonly empty: number;
  /** Answers that end in a loop: the same words again and again. */
  readonly looping: number;
}

/** What turns answers into scores. */
export interface AnswerScoring {
  readonly metrics: readonly Metric[];
  readonly reading: AnswerReading;
  /** Field of the samples to break scores down by, as {@link groupSamples} reads it. */
  readonly groupBy: string | undefined;
}

/** The scores of some texts, by metric and group. */
export type TextScores = Pick<CandidateScores, "scores" | "groups">;

/**
 * Scores answers. Pure: scoring again under other metrics generates nothing. What of an output is scored, the reading says.
 * @param samples in the order of the answers' rows.
 */
export function scoreAnswers(
  { candidate, rows }: Answers,
  samples: readonly Sample[],
  scoring: AnswerScoring,
): CandidateScores {
  const texts = rows.map((row) => answerText(row.output, scoring.reading));
  const { scores, groups } = scoreTexts(texts, samples, scoring, rows);
  const clusters = clustersOf(samples);
  const byCluster = clusters && new Map([...scores].map(([name, one]) => [name, clustered(one, clusters)]));
  return { candidate, samples: rows.length, scores: byCluster ?? scores, groups, answers: answerFacts(rows, texts) };
}

/**
 * Scores texts as they are, with the metrics that can be told from what is there: those of answers where something was generated, those of
 * likelihoods where references were weighed.
 * @param texts undefined stands for a sample without an answer. @param samples in the order of the texts. @param answers that the texts are of.
 */
export function scoreTexts(
  texts: readonly (string | undefined)[],
  samples: readonly Sample[],
  { metrics, groupBy }: Pick<AnswerScoring, "metrics" | "groupBy">,
  answers: readonly Answer[] = [],
): TextScores {
  const references = samples.map((sample) => sample.references);
  const likelihoods = answers.flatMap(({ likelihood }) => likelihood ?? []);
  const isGenerated = !answers.some(({ isWeighed }) => isWeighed);
  const scores = new Map<string, Score>();
  for (const metric of metrics) {
    const { name, ofLikelihood } = metric;
    if (!ofLikelihood && isGenerated) scores.set(name, score(metric, texts, references));
    if (!ofLikelihood || likelihoods.length < samples.length) continue;
    scores.set(name, scoreOfStatistics(metric, likelihoods.map(ofLikelihood), references));
  }
  return { scores, groups: groupBy === undefined ? new Map() : groupScores(scores, groupSamples(samples, groupBy)) };
}

/** What answers look like. @param texts what of each answer is scored. */
export function answerFacts(rows: readonly Answer[], texts: readonly string[]): AnswerFacts {
  const count = rows.filter(({ isWeighed }) => !isWeighed).length;
  return {
    count,
    meanTokens: rows.reduce((sum, row) => sum + row.tokens.length, 0) / Math.max(1, count),
    cutAtLimit: rows.filter((row) => row.stop === "length").length,
    empty: texts.filter((text, i) => text.trim() === "" && !rows[i]?.isWeighed).length,
    looping: rows.filter((row) => endsInLoop(row.output)).length,
  };
}

/** Each metric's score over the samples of each group. @param groups places of each group's samples. */
export function groupScores(
  scores: ReadonlyMap<string, Score>,
  groups: ReadonlyMap<string, readonly number[]>,
): Map<string, ReadonlyMap<string, Score>> {
  return new Map(
    [...groups].map(([group, places]) => [
      group,
      new Map([...scores].map(([name, whole]) => [name, subsetScore(whole, places)])),
    ]),
  );
}

/** The score of a metric. @throws UsageError when the candidate was not scored with it. */
export function scoreOf(scored: CandidateScores, metric: string): Score {
  const found = scored.scores.get(metric);
  if (found) return found;
  throw new UsageError({
    what: `there is no score of ${metric}`,
    actual: `scores of ${[...scored.scores.keys()].join(", ") || "nothing"}`,
    fix: `Run the same sweep again with --metric ${metric}: what is kept is not computed twice.`,
  });
}
