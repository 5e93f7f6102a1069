import type { Sample } from "../samples/sample.js";
import { askAll, type AskOptions, type Outcome } from "./ask.js";
import { scoreQuestion, type JudgePrompt } from "./judge-prompt.js";
import type { JudgeError, JudgeModel } from "./judge-model.js";
import { judgeStats, openQuestions, type JudgeStats } from "./stats.js";
import { parseMark } from "./verdict.js";

/** A prediction to be judged, without the thoughts of reasoning models. */
export interface JudgedPrediction {
  readonly sample: Sample;
  readonly prediction: string;
}

/** What judges are asked and how. */
export interface JudgeOptions extends AskOptions {
  readonly prompt: JudgePrompt;
  /** Of the samples, for errors. */
  readonly dataPath: string;
}

/** The marks of some judges for the predictions of one candidate. */
export interface JudgedScores {
  /** `prompt` field of the signature. */
  readonly promptSha8: string;
  /** Names of the judges in their order. */
  readonly judges: readonly string[];
  /** In the order of the items; `references` is how many the sample has. */
  readonly samples: readonly JudgedSample[];
  /** One for each judge. */
  readonly stats: readonly JudgeStats[];
  /** Set where questions are open that a rerun may close. The rest of the result stands all the same. */
  readonly failure?: JudgeError;
}

/** One sample's marks, 0-1. */
export interface JudgedSample {
  readonly sampleId: string;
  readonly references: number;
  /** One for each judge, undefined where it gave none. */
  readonly marks: readonly (number | undefined)[];
  /**
   * Their mean; undefined unless every judge gave one: over changing judges a missing mark of a strict judge would look like a better answer.
   */
  readonly value: number | undefined;
}

/**
 * Has every judge mark every prediction with an integer from 0 to 10. What fails is left open and told in `failure`, not thrown.
 * @throws SampleError when the prompt fails on a sample, InterruptedError when the signal fires, FileError when the cache cannot be written.
 *
 * Source: arXiv 2503.23360, appendix A.2 (there the mean of three judges).
 */
export async function judgeScores(
  judges: readonly JudgeModel[],
  items: readonly JudgedPrediction[],
  options: JudgeOptions,
): Promise<JudgedScores> {
  const { prompt, dataPath } = options;
  const questions = items.map(({ sample, prediction }) => scoreQuestion(prompt, sample, prediction, dataPath));
  const asked = await askAll(judges, questions, options);
  const marks = asked.map(({ outcomes }) => outcomes.map(markOf));
  const stats = asked.map((one) => judgeStats(one, (answer) => parseMark(answer) !== undefined));
  const failure = openQuestions(asked, stats, options.cache);
  return {
    promptSha8: prompt.sha8,
    judges: judges.map(({ name }) => name),
    samples: items.map(({ sample }, index) => {
      const own = marks.map((list) => list[index]);
      return { sampleId: sample.id, references: sample.references.length, marks: own, value: meanOfAll(own) };
    }),
    stats,
    ...(failure === undefined ? {} : { failure }),
  };
}

function markOf(outcome: Outcome): number | undefined {
  return outcome.kind === "reply" ? parseMark(outcome.reply.text) : undefined;
}

function meanOfAll(marks: readonly (number | undefined)[]): number | undefined {
  const given = marks.filter((mark) => mark !== undefined);
  if (given.length === 0 || given.length < marks.length) return undefined;
  return given.reduce((sum, mark) => sum + mark, 0) / given.length;
}
