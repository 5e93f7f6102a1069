import { z } from "zod";
import { SampleError } from "../errors.js";
import { fieldError } from "./field-error.js";
import { parseDocument } from "./document.js";
import type { Prediction } from "./prediction.js";
import type { Sample } from "./sample.js";
import { readTextFile } from "./text-file.js";

const rowSchema = z.object(
  {
    boundary: z.int({ error: "a whole number" }).min(0, { error: "a whole number from 0" }),
    sampleId: z.string({ error: "a text" }),
    part: z.enum(["selection", "holdout"], { error: '"selection" or "holdout"' }),
    output: z.string({ error: "a text" }),
  },
  { error: "an answer of a run" },
);

/** One answer of a run, as `outputs.jsonl` and the journal have it. */
export type OutputRow = z.output<typeof rowSchema> & {
  /** 1-based line in its file, for messages. */
  readonly line?: number;
};

/** The answers of one candidate to one part of the samples. */
export interface JoinedOutputs {
  /** K, the number of bottom layers that keep their adapter. */
  readonly boundary: number;
  readonly part: OutputRow["part"];
  /** In the order of the samples. */
  readonly predictions: readonly Prediction[];
}

/**
 * Reads the `outputs.jsonl` of a run. Throws FileError when it cannot be read, {@link SampleError} with line and field for what
 * is no such file.
 */
export async function loadOutputs(path: string): Promise<readonly OutputRow[]> {
  const { text } = await readTextFile(path, "JSONL");
  const document = parseDocument(path, text);
  const rows = document.kind === "rows" ? document.rows : [{ place: { path, label: "line 1", line: 1 }, value: {} }];
  return rows.map(({ place, value }) => {
    const parsed = rowSchema.safeParse(value);
    if (!parsed.success)
      throw fieldError(place, value, parsed.error, "Give the outputs.jsonl of a run, as it was written.");
    return { ...parsed.data, ...(place.line === undefined ? {} : { line: place.line }) };
  });
}

/**
 * Joins the answers of a run with the samples that they answer, by id: for each boundary and part the predictions, boundaries
 * ascending, the selection first. Outputs are taken as they are: thoughts of reasoning models are still in them.
 * @param samples for each part the samples of its file; where one file was split, the same for both.
 * Throws {@link SampleError} (`path` and line of the answer) for an answer to a sample that is not there, and for two different answers to one.
 */
export function joinOutputs(
  path: string,
  rows: readonly OutputRow[],
  samples: Readonly<Record<OutputRow["part"], readonly Sample[]>>,
): readonly JoinedOutputs[] {
  const known = { selection: orderOf(samples.selection), holdout: orderOf(samples.holdout) };
  const groups = new Map<string, { boundary: number; part: OutputRow["part"]; outputs: Map<string, string> }>();
  for (const row of rows) {
    const { boundary, part, sampleId, output } = row;
    if (!known[part].has(sampleId)) throw unknownSampleError(path, row, known[part].size);
    const key = `${part} ${boundary}`;
    const group = groups.get(key) ?? { boundary, part, outputs: new Map<string, string>() };
    groups.set(key, group);
    if ((group.outputs.get(sampleId) ?? output) !== output) throw twiceError(path, row);
    group.outputs.set(sampleId, output);
  }
  return [...groups.values()]
    .sort((a, b) => a.boundary - b.boundary || (a.part === b.part ? 0 : a.part === "selection" ? -1 : 1))
    .map(({ boundary, part, outputs }) => ({
      boundary,
      part,
      predictions: samples[part].flatMap((sample) => {
        const prediction = outputs.get(sample.id);
        return prediction === undefined ? [] : [{ ...sample, prediction }];
      }),
    }));
}

function orderOf(samples: readonly Sample[]): ReadonlySet<string> {
  return new Set(samples.map(({ id }) => id));
}

function unknownSampleError(path: string, { line, sampleId, part }: OutputRow, count: number): SampleError {
  return new SampleError(whereOf(path, line, sampleId), {
    what: `${placeOf(path, line)}: an answer to a sample that the data does not have`,
    actual: JSON.stringify(sampleId),
    expected: `an id of the ${count} samples given for the ${part}`,
    fix: "Give the data that the run was made with, unchanged.",
  });
}

function twiceError(path: string, { line, sampleId, boundary }: OutputRow): SampleError {
  return new SampleError(whereOf(path, line, sampleId), {
    what: `${placeOf(path, line)}: two different answers to one sample`,
    actual: `a second one to ${JSON.stringify(sampleId)} at K=${boundary}`,
    expected: "one answer for each boundary and sample",
    fix: "Give the outputs of one run.",
  });
}

function whereOf(
  path: string,
  line: number | undefined,
  sampleId: string,
): { path: string; line?: number; sampleId: string } {
  return { path, sampleId, ...(line === undefined ? {} : { line }) };
}

function placeOf(path: string, line: number | undefined): string {
  return line === undefined ? path : `${path}, line ${line}`;
}
