import type { Metric, Score } from "../metrics/metric.js";
import type { Prediction } from "../samples/predictions.js";
import { scoreInterval } from "../statistics/interval.js";
import { at } from "../assert.js";
import { scoreTexts } from "../choice/scores.js";
import { answerText, withReading, type AnswerReading } from "../tasks/answer-text.js";
import type { Extraction } from "../tasks/extraction.js";
import { stripThoughts, thoughtMarks } from "../tasks/thoughts.js";

/** How outputs are scored. */
export interface OutputScoring {
  readonly metrics: readonly Metric[];
  readonly extract: Extraction | undefined;
  /** Leaves the thoughts of reasoning models out; otherwise outputs are scored as they are given. */
  readonly stripThoughts?: boolean;
  /** Field to break scores down by. */
  readonly groupBy: string | undefined;
  /** Of the bootstrap. */
  readonly seed: number;
}

/** A score with its 95 % interval over the samples, both on the 0-100 scale. */
export interface ReportedScore {
  readonly metric: string;
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** How the interval was found. */
  readonly interval: string;
  readonly n: number;
  readonly signature: string;
}

/** The scores of a file of outputs. */
export interface OutputScores {
  readonly scores: readonly ReportedScore[];
  /** The same for each group of samples. */
  readonly groups: Readonly<Record<string, readonly ReportedScore[]>>;
  /** What was scored, a row for each output: its id, its text after extraction, and its values (0-1) by metric. */
  readonly samples: readonly {
    readonly id: string;
    readonly prediction: string;
    readonly values: Readonly<Record<string, number>>;
  }[];
  /** What was done to the outputs before they were scored, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Scores outputs, whoever made them, as they are given: white space, a byte order mark and thoughts of reasoning models are part of
 * them unless the options say otherwise.
 * @throws BoundaryError without predictions; UsageError when no sample has the field to group by.
 */
export function scoreOutputs(predictions: readonly Prediction[], scoring: OutputScoring): OutputScores {
  const { extract, groupBy, seed } = scoring;
  const thoughts = scoring.stripThoughts === true ? thoughtMarks : [];
  const reading: AnswerReading = { thoughts, extract, trim: false };
  const texts = predictions.map(({ prediction, isMissing }) =>
    isMissing === true ? undefined : answerText(prediction, reading),
  );
  const { scores, groups } = scoreTexts(texts, predictions, {
    metrics: withReading(scoring.metrics, reading),
    groupBy,
  });
  const touched = predictions.filter(({ prediction }) => stripThoughts(prediction, thoughts) !== prediction).length;
  return {
    scores: [...scores.values()].map((one) => reported(one, seed)),
    groups: Object.fromEntries(
      [...groups].map(([name, own]) => [name, [...own.values()].map((one) => reported(one, seed))]),
    ),
    samples: predictions.map(({ id }, i) => ({
      id,
      prediction: texts[i] ?? "",
      values: Object.fromEntries([...scores].map(([name, { perSample }]) => [name, at(perSample, i)])),
    })),
    notes: thoughts.length > 0 ? [`Thoughts were stripped from ${touched} of ${predictions.length} outputs.`] : [],
  };
}

function reported(one: Score, seed: number): ReportedScore {
  const { metric, label, value, n, signature } = one;
  const { low, high, method } = scoreInterval(one, { seed });
  return { metric, label, value, low, high, interval: method, n, signature };
}
