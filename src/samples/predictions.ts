import { z } from "zod";
import { UsageError } from "../errors.js";
import { parseDocument } from "./document.js";
import { assertDistinctIds, jointSha256 } from "./loaded.js";
import { readParallelLines } from "./parallel.js";
import { defaultId } from "./place.js";
import { referencedRows } from "./referenced-rows.js";
import { checkFields, sampleOf, text } from "./row.js";
import type { LoadOptions, Sample } from "./sample.js";
import { readTextFile } from "./text-file.js";

/** An output with the sample it answers; of a file of outputs, the variables are the row's other fields. */
export interface Prediction extends Sample {
  /** May be empty: a model can answer nothing. */
  readonly prediction: string;
}

/** The outputs of one file, in its order. */
export interface LoadedPredictions {
  readonly format: "jsonl" | "parallel";
  readonly path: string;
  /** Of lines of text: the files that the references came from. */
  readonly referencePaths?: readonly string[];
  readonly predictions: readonly Prediction[];
  /** Of the file's bytes, in hexadecimal; of parallel files, of their hashes, a line each. */
  readonly sha256: string;
  /** What a user should know about the file although it is usable, one sentence each. */
  readonly notes: readonly string[];
}

const NAMES = ["references", "reference", "answers", "answer"] as const;

const rowSchema = z.object({ prediction: text });

/**
 * Reads outputs to be scored, whoever made them: JSONL (or a JSON array) with `prediction` and `references`, `reference`,
 * `answers` or `answer`, or with a map such as `{ prediction: "output", references: "gold" }`; or, where files of references
 * are given, plain text with an output a line. Predictions and references may be empty.
 *
 * Throws FileError when a file cannot be read, SampleError (with line and field) for a row without prediction or reference
 * and for files of different numbers of lines, {@link UsageError} for options that cannot be.
 */
export async function loadPredictions(
  path: string,
  options: Pick<LoadOptions, "map" | "references"> = {},
): Promise<LoadedPredictions> {
  const { map = {}, references } = options;
  if (references === undefined) return readPredictionRows(path, map);
  if (Object.keys(map).length > 0) {
    throw new UsageError({
      what: "--references does not go with --map",
      actual: references.join(", "),
      expected: "lines of text, or JSONL with a map",
      fix: "Leave one of the two out.",
    });
  }
  const { files, lines, references: columns, notes } = await readParallelLines(path, references);
  return {
    format: "parallel",
    path,
    referencePaths: references,
    predictions: lines.map((prediction, index) => ({
      id: defaultId({ path, label: `line ${index + 1}` }),
      variables: {},
      references: columns[index] ?? [],
      prediction,
    })),
    sha256: jointSha256(files),
    notes,
  };
}

async function readPredictionRows(path: string, map: Readonly<Record<string, string>>): Promise<LoadedPredictions> {
  const file = await readTextFile(path);
  const document = parseDocument(path, file.text);
  if (document.kind === "squad") {
    throw new UsageError({
      what: `${path} has no predictions`,
      actual: "questions in SQuAD's layout",
      expected: 'JSONL with "prediction" and "references"',
      fix: "Give the outputs of a model with their references.",
    });
  }
  const example = '{"prediction": "...", "references": ["..."]}';
  const placed = referencedRows(document.rows, { map, names: NAMES, example, mayBeEmpty: true }).map(
    ({ row, references }) => {
      const { prediction } = checkFields(rowSchema, row);
      const isHidden = (name: string): boolean => name === "prediction" || name === map["prediction"];
      return { place: row.place, sample: { ...sampleOf(row, { references, isHidden }), prediction } };
    },
  );
  assertDistinctIds(path, placed);
  return {
    format: "jsonl",
    path,
    predictions: placed.map(({ sample }) => sample),
    sha256: file.sha256,
    notes: [],
  };
}
