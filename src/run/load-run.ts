import { join } from "node:path";
import { z } from "zod";
import { RunFolderError } from "../errors.js";
import { readWholeText } from "../files/read-whole.js";
import { exists } from "../files/atomic-file.js";
import type { Sample } from "../samples/sample.js";
import type { Part } from "../samples/split.js";
import { Journal, withLikelihood, type JournalRow } from "./journal.js";
import { sweepResultSchema, type SweepResult } from "./result.js";
import { thoughtMarksNamed, usualThoughtMarks, type ThoughtMarks } from "../tasks/thoughts.js";

const sampleSchema = z.object({
  part: z.enum(["selection", "holdout"]),
  id: z.string(),
  variables: z.record(z.string(), z.unknown()),
  references: z.array(z.string()).min(1),
  group: z.record(z.string(), z.string()).optional(),
  conversation: z.string().optional(),
  prompt: z.string(),
});

/** A sample of a finished run with the text that the model continued. */
export interface RunSample {
  readonly part: Part;
  readonly sample: Sample;
  readonly prompt: string;
}

/** A finished run, read from its folder alone: neither model nor data are needed. */
export interface FinishedRun {
  readonly folder: string;
  readonly result: SweepResult;
  /** Selection first, in the order in which they were asked. */
  readonly samples: readonly RunSample[];
  /** The answers of a boundary to a part, in the order of its samples; undefined where not all of them are there. */
  readonly answers: (boundary: number, part: Part) => readonly JournalRow[] | undefined;
}

/**
 * Reads a finished run.
 * @throws RunFolderError when the folder holds no finished run, or one of another version; FileError when it cannot be read.
 */
export async function loadRun(folder: string): Promise<FinishedRun> {
  const path = join(folder, "result.json");
  if (!(await exists(path))) {
    throw new RunFolderError(folder, {
      what: `${folder} holds no finished run`,
      actual: "no result.json",
      fix: "Give the --out folder of a sweep that has ended; the same sweep command finishes one that was stopped.",
    });
  }
  const result = parseResult(folder, await readWholeText(path));
  const lines = (await readWholeText(join(folder, "samples.jsonl"))).split("\n").filter((line) => line !== "");
  const samples = lines.map((line, i) => parseSample(folder, line, i + 1));
  const rows = new Map<string, JournalRow>();
  for (const row of await Journal.read(join(folder, "journal.jsonl"))) {
    const key = answerKey(row.boundary, row.part, row.sampleId);
    rows.set(key, withLikelihood(rows.get(key), row));
  }
  return {
    folder,
    result,
    samples,
    answers: (boundary, part) => {
      const found = samples
        .filter((one) => one.part === part)
        .map(({ sample }) => rows.get(answerKey(boundary, part, sample.id)));
      return found.every((row) => row !== undefined) && found.length > 0 ? found : undefined;
    },
  };
}

/** The thoughts that a run does not score. Results that do not say so are of versions that looked for the usual ones in every output. */
export function thoughtsOfRun({ generation }: Pick<SweepResult, "generation">): readonly ThoughtMarks[] {
  return generation.thoughts === undefined ? usualThoughtMarks : thoughtMarksNamed(generation.thoughts);
}

/**
 * For what needs boundaries: a curve over K, answers under any K.
 * @param what is to be done with them.
 * @throws RunFolderError when the run tried the masks of another strategy.
 */
export function assertBoundaries({ folder, result }: Pick<FinishedRun, "folder" | "result">, what: string): void {
  if (!result.strategy) return;
  throw new RunFolderError(folder, {
    what: `${folder} tried no boundaries`,
    actual: `--strategy ${result.strategy.name}`,
    expected: `--strategy prefix, to ${what}`,
    fix: `What it chose is ${folder}/trimmed.gguf: an adapter as any other.`,
  });
}

function answerKey(boundary: number, part: Part, id: string): string {
  return `${boundary}\0${part}\0${id}`;
}

function parseResult(folder: string, text: string): SweepResult {
  try {
    return sweepResultSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new RunFolderError(folder, {
      what: `${folder}/result.json was not written by this version of boundary, or is damaged`,
      fix: "Run the same sweep command again: kept answers are not generated twice.",
      cause,
    });
  }
}

function parseSample(folder: string, line: string, number: number): RunSample {
  try {
    const { part, prompt, group, conversation, ...sample } = sampleSchema.parse(JSON.parse(line));
    const optional = {
      ...(group === undefined ? {} : { group }),
      ...(conversation === undefined ? {} : { conversation }),
    };
    return { part, prompt, sample: { ...sample, ...optional } };
  } catch (cause) {
    throw new RunFolderError(folder, {
      what: `${folder}/samples.jsonl is damaged in line ${number}`,
      fix: "Run the same sweep command again.",
      cause,
    });
  }
}
