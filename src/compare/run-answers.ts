import { UsageError } from "../errors.js";
import type { Sample, SampleFormat } from "../samples/sample.js";
import { boundaryOf, nameIn } from "../run/entry-names.js";
import { loadRun, thoughtsOfRun } from "../run/load-run.js";
import type { ThoughtMarks } from "../tasks/thoughts.js";
import type { SystemAnswers } from "./answers.js";
import type { System } from "./systems.js";

/** What a finished run answered, with its samples. */
export interface RunAnswers extends SystemAnswers {
  readonly boundary: number;
  readonly samples: readonly Sample[];
  readonly format: SampleFormat;
  /** Of translations: the language of the references. */
  readonly targetLanguage?: string;
  /** What the run does not score of its outputs. */
  readonly thoughts: readonly ThoughtMarks[];
  /** Name of the run's task. */
  readonly task: string;
}

type RunSystem = Extract<System, { kind: "run" }>;

/**
 * The answers of one candidate of a finished run: those to its holdout, or to its selection where it has none, since answers that chose K
 * flatter it.
 * @throws RunFolderError when the folder holds no finished run; UsageError when that candidate did not answer.
 */
export async function runAnswers({ name, folder, which }: RunSystem): Promise<RunAnswers> {
  const run = await loadRun(folder);
  const part = run.result.data.holdout.length > 0 ? "holdout" : "selection";
  const boundary = boundaryOf(run, which);
  const rows = run.answers(boundary, part);
  if (!rows) {
    const there = run.result.candidates.filter((candidate) => candidate[part]).map((candidate) => candidate.boundary);
    throw new UsageError({
      what: `${folder} has no answers of ${nameIn(run.result, boundary)} to its ${part}`,
      expected: there.map((one) => nameIn(run.result, one)).join(", "),
      fix: "Compare one of those, or run the comparison with the model: --against K=...",
    });
  }
  return {
    name,
    boundary,
    adapterBytes: run.result.candidates.find((candidate) => candidate.boundary === boundary)?.bytes,
    rows,
    format: run.result.data.format,
    ...(run.result.data.targetLanguage === undefined ? {} : { targetLanguage: run.result.data.targetLanguage }),
    thoughts: thoughtsOfRun(run.result),
    task: String(run.result.config["task"]),
    samples: run.samples.filter((one) => one.part === part).map(({ sample }) => sample),
  };
}
