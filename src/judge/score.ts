import { at } from "../assert.js";
import { BoundaryError } from "../errors.js";
import type { Score } from "../metrics/metric.js";
import { version } from "../version.js";
import type { JudgedSample, JudgedScores } from "./scores.js";
import { BEST_MARK } from "./verdict.js";

/** Marks as a score. It covers the samples that every judge marked, and no others: `sampleIds` says which, in the order of `perSample`. */
export interface JudgeScore extends Score {
  readonly sampleIds: readonly string[];
  /** Samples that it does not cover. They need not be like the others: judges stumble over bad answers more often than over good ones. */
  readonly missing: number;
}

interface MarkedSample extends JudgedSample {
  readonly value: number;
}

/**
 * One candidate's marks as a score: the mean over judges and samples in percent of the best mark, over the samples that every judge marked.
 * Two such scores may cover different samples, so they must not be compared place by place: {@link pairedJudgeScores} is for that.
 * @throws the judges' own failure, or BoundaryError, when no sample was marked.
 */
export function judgeScore(judged: JudgedScores): JudgeScore {
  return scoreOf(judged, markedSamples(judged));
}

/**
 * The scores of several candidates over the samples that every judge marked for all of them: the same place is the same sample in each.
 * @throws BoundaryError when the candidates were not judged on the same samples in the same order by the same judges with the same prompt,
 * or when no sample is left.
 */
export function pairedJudgeScores(judged: readonly JudgedScores[]): JudgeScore[] {
  const [first] = judged;
  if (first === undefined) return [];
  for (const other of judged) assertSameQuestions(first, other);
  const isCommon = first.samples.map((_, index) => judged.every(({ samples }) => samples[index]?.value !== undefined));
  return judged.map((one) =>
    scoreOf(one, markedSamples({ samples: one.samples.filter((_, index) => isCommon[index]) })),
  );
}

function markedSamples({ samples }: Pick<JudgedScores, "samples">): MarkedSample[] {
  return samples.flatMap((sample) => (sample.value === undefined ? [] : [{ ...sample, value: sample.value }]));
}

function scoreOf(judged: JudgedScores, samples: readonly MarkedSample[]): JudgeScore {
  if (samples.length === 0) {
    throw (
      judged.failure ??
      new BoundaryError({
        what: "there is no sample that every judge marked",
        actual: judged.stats
          .map((one) => `${one.judge}: ${one.answered} marks, ${one.unparseable} unparseable`)
          .join("; "),
        expected: "at least 1",
        fix: "Use a judge that follows the prompt, or more tokens for its answers if it thinks first.",
      })
    );
  }
  const statistics = samples.map(({ value }) => [value]);
  const corpusValue: Score["corpusValue"] = (sums, count) => (100 * at(sums, 0)) / count;
  return {
    metric: "judge",
    label: "LLM score",
    isBinary: false,
    value: corpusValue([samples.reduce((sum, { value }) => sum + value, 0)], samples.length),
    n: samples.length,
    signature: signatureOf(judged, samples),
    perSample: samples.map(({ value }) => value),
    statistics,
    corpusValue,
    sampleIds: samples.map(({ sampleId }) => sampleId),
    missing: judged.samples.length - samples.length,
  };
}

function signatureOf({ judges, promptSha8 }: JudgedScores, samples: readonly MarkedSample[]): string {
  const counts = [...new Set(samples.map(({ references }) => references))];
  const parts = [
    ["nrefs", counts.length === 1 ? counts.join("") : "var"],
    ["judges", judges.map((name) => name.replace(/[|+\s]/g, "_")).join("+")],
    ["prompt", promptSha8],
    ["scale", `0-${BEST_MARK}`],
    ["version", version],
  ];
  return parts.map((part) => part.join(":")).join("|");
}

function assertSameQuestions(one: JudgedScores, other: JudgedScores): void {
  const [left, right] = [one, other].map(({ judges, promptSha8 }) => `${judges.join("+")} with prompt ${promptSha8}`);
  if (left !== right) {
    throw new BoundaryError({
      what: "scores of different judges or prompts cannot be compared",
      actual: `${left ?? ""} and ${right ?? ""}`,
      expected: "the same judges and the same prompt",
    });
  }
  const isAligned =
    one.samples.length === other.samples.length &&
    one.samples.every(({ sampleId }, index) => sampleId === other.samples[index]?.sampleId);
  if (isAligned) return;
  throw new BoundaryError({
    what: "judged candidates do not belong to the same samples",
    actual: `${one.samples.length} and ${other.samples.length} samples, or other ids`,
    expected: "the same samples in the same order",
  });
}
