import { defined } from "../assert.js";
import { scoreTexts } from "../choice/scores.js";
import type { Sample } from "../samples/sample.js";
import type { Part } from "../samples/split.js";
import type { FinishedRun } from "../run/load-run.js";
import type { SweepResult } from "../run/result.js";
import { answerText } from "../tasks/answer-text.js";
import { endsOf, type End } from "./ends.js";
import { runScoring } from "./run-scoring.js";

/** One system's answer to a sample. */
export interface ComparedAnswer {
  /** What was scored: without thoughts, and what the extraction took of it. */
  readonly text: string;
  /** The whole output, where that is more than what was scored. */
  readonly output?: string;
  /** By metric, 0-100. */
  readonly values: Readonly<Record<string, number>>;
}

/** A sample with what base, full and chosen made of it. */
export interface ComparedSample {
  readonly sample: Sample;
  /** In the order of {@link ComparedSamples.ends}. */
  readonly answers: readonly ComparedAnswer[];
  /** Primary metric of the subject less that of the full adapter, in points. */
  readonly change: number;
  /** Whether the subject's answer differs from the full adapter's in its text. */
  readonly isChanged: boolean;
}

/** The samples of one part, the most changed first. */
export interface ComparedSamples {
  readonly part: Part;
  /** Base, full and chosen; one that stands for two is there once. */
  readonly ends: readonly End[];
  /** Place in `ends` of the full adapter, and of what is set against it: the chosen, or the base where the full adapter was chosen. */
  readonly full: number;
  readonly subject: number;
  readonly samples: readonly ComparedSample[];
}

/**
 * Sets the answers of base, full and chosen side by side: on the holdout where they answered it, else on the selection. Samples whose score
 * changed most against the full adapter come first, losses before gains; then those whose text changed; then those that the base answers
 * otherwise.
 * @returns undefined where the journal does not hold the answers.
 */
export function compareSamples(run: FinishedRun): ComparedSamples | undefined {
  const ends = endsOf(run.result);
  const full = ends.findIndex(({ isFull }) => isFull);
  const subject = ends.findIndex(({ isChosen, isFull }) => isChosen && !isFull);
  const part = (["holdout", "selection"] as const).find((one) =>
    ends.every(({ boundary }) => run.answers(boundary, one) !== undefined),
  );
  if (part === undefined || full < 0) return undefined;
  const samples = run.samples.filter((one) => one.part === part).map(({ sample }) => sample);
  const answers = ends.map(({ boundary }) => answersOf(run, boundary, part, samples));
  const places = { full, subject: subject < 0 ? ends.findIndex(({ isBase }) => isBase) : subject };
  if (places.subject < 0) return undefined;
  const compared = samples.map((sample, at) =>
    comparedSample(
      sample,
      answers.map((own) => own[at]),
      places,
      run.result,
    ),
  );
  return { part, ends, ...places, samples: compared.sort(byChange(places, run.result.metric)) };
}

/** Where only the reference was weighed. */
const NOT_GENERATED = "(not generated)";

function answersOf(run: FinishedRun, boundary: number, part: Part, samples: readonly Sample[]): ComparedAnswer[] {
  const { metrics, reading } = runScoring(run);
  const rows = run.answers(boundary, part) ?? [];
  const outputs = rows.map(({ output, isWeighed }) => (isWeighed ? NOT_GENERATED : output));
  const texts = outputs.map((output) => answerText(output, reading));
  const scores = [...scoreTexts(texts, samples, { metrics, groupBy: undefined }, rows).scores.values()];
  return texts.map((text, at) => ({
    text,
    ...(text.trim() === outputs[at]?.trim() ? {} : { output: defined(outputs[at], "an output") }),
    values: Object.fromEntries(
      scores.map(({ metric, perSample }) => [metric, 100 * defined(perSample[at], "the value of a sample")]),
    ),
  }));
}

type Places = Pick<ComparedSamples, "full" | "subject">;

function comparedSample(
  sample: Sample,
  answers: readonly (ComparedAnswer | undefined)[],
  { full, subject }: Places,
  { metric }: SweepResult,
): ComparedSample {
  const present = answers.map((answer) => answer ?? { text: "", values: {} });
  const [own, other] = [present[subject], present[full]];
  return {
    sample,
    answers: present,
    change: defined(own?.values[metric], metric) - defined(other?.values[metric], metric),
    isChanged: own?.text !== other?.text,
  };
}

/** Sorting is stable, so samples that change alike keep their order. */
function byChange({ full }: Places, metric: string): (a: ComparedSample, b: ComparedSample) => number {
  const keys = ({ change, isChanged, answers }: ComparedSample): number[] => {
    const values = answers.map((answer) => defined(answer.values[metric], metric));
    return [
      Math.abs(change),
      -Math.sign(change),
      isChanged ? 1 : 0,
      Math.max(...values.map((value) => Math.abs(value - defined(values[full], "the value of the full adapter")))),
    ];
  };
  return (a, b) => {
    const [left, right] = [keys(a), keys(b)];
    const at = left.findIndex((key, i) => key !== right[i]);
    return at < 0 ? 0 : defined(right[at], "a value") - defined(left[at], "a value");
  };
}
