import { parsedJson } from "../parsed-json.js";
import { extname } from "node:path";
import { z } from "zod";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import { parseDocument } from "./document.js";
import { assertNotKnownFile } from "./known-files.js";
import { isLmEvalRow, readLmEval } from "./lm-eval.js";
import { assertDistinctIds, jointSha256 } from "./loaded.js";
import { readParallelLines } from "./parallel.js";
import { defaultId, isRecord } from "./place.js";
import { joinPredictions } from "./prediction-pairs.js";
import type { LoadedPredictions } from "./prediction.js";
import { referencedRows } from "./referenced-rows.js";
import { checkFields, sampleOf, text } from "./row.js";
import type { LoadOptions } from "./sample.js";
import { readTextFile, type TextFile } from "./text-file.js";

export type { LoadedPredictions, Prediction } from "./prediction.js";

const NAMES = ["references", "reference", "answers", "answer"] as const;

const rowSchema = z.object({ prediction: text });

/** How to read a file of outputs. */
export type PredictionOptions = Pick<LoadOptions, "map" | "references"> & {
  /** Of samples of lm-evaluation-harness: the filter whose outputs are meant. */
  readonly filter?: string;
};

/**
 * Reads outputs to be scored, whoever made them: JSONL (or a JSON array) with `prediction` and `references`, `reference`,
 * `answers` or `answer`, or with a map such as `{ prediction: "output", references: "gold" }`; samples of lm-evaluation-harness; or, where
 * `references` are given, predictions by id with the data set they answer ({@link joinPredictions}), or plain text with an output a line
 * and files of references. Predictions and references may be empty.
 *
 * Throws FileError when a file cannot be read, SampleError (with line and field) for a row without prediction or reference
 * and for files of different numbers of lines, {@link UsageError} for options and files that cannot be meant.
 */
export async function loadPredictions(path: string, options: PredictionOptions = {}): Promise<LoadedPredictions> {
  const { map = {}, references, filter } = options;
  const [data] = references ?? [];
  const file = await readTextFile(path, references === undefined ? undefined : "lines of text, or predictions by id,");
  if (references === undefined || data === undefined) {
    if (references === undefined) return readPredictionRows(file, map, filter);
    return readPredictionLines(file, references);
  }
  const dataFile = await readTextFile(data, "lines of text, or a data set,");
  const [isDocument, isData] = [isJson(file), isJson(dataFile)];
  if (isDocument && isData && references.length === 1) return joinPredictions(file, dataFile, map);
  if (isDocument || isData) throw unlikeFiles(file, dataFile, isDocument);
  if (Object.keys(map).length === 0) return readPredictionLines(file, references);
  throw new UsageError({
    what: "--references does not go with --map",
    actual: references.join(", "),
    expected: "lines of text, or JSONL with a map",
    fix: "Leave one of the two out.",
  });
}

async function readPredictionLines({ path }: TextFile, references: readonly string[]): Promise<LoadedPredictions> {
  const { files, lines, references: columns, notes } = await readParallelLines(path, references);
  // A byte order mark at the beginning of a file is part of its first output, as it is for sacreBLEU.
  const marked = files.filter(({ hasByteOrderMark }) => hasByteOrderMark);
  const asGiven = (file: TextFile, line: number, text: string): string =>
    line === 0 && file.hasByteOrderMark ? `\uFEFF${text}` : text;
  return {
    format: "parallel",
    path,
    referencePaths: references,
    predictions: lines.map((prediction, index) => ({
      id: defaultId({ path, label: `line ${index + 1}` }),
      variables: {},
      references: at(columns, index).map((text, column) => asGiven(at(files, column + 1), index, text)),
      prediction: asGiven(at(files, 0), index, prediction),
    })),
    sha256: jointSha256(files),
    notes: [
      ...notes,
      ...marked.map((file) => `${file.path} begins with a byte order mark, which is scored as part of its first line.`),
    ],
  };
}

/** Whether a file is meant as JSON: by its name, or because all of it is one JSON object or list. */
function isJson({ path, text: content }: TextFile): boolean {
  if (/^\.(json|jsonl|ndjson)$/i.test(extname(path))) return true;
  if (!/^\s*[[{]/.test(content)) return false;
  return typeof parsedJson(content) === "object";
}

function unlikeFiles(file: TextFile, data: TextFile, isDocument: boolean): UsageError {
  const [json, lines] = isDocument ? [file, data] : [data, file];
  return new UsageError({
    what: `${file.path} and ${data.path} do not go together`,
    actual: `JSON in ${json.path} and lines of text in ${lines.path}`,
    expected: "predictions by id with one data set, or lines of text with lines of text",
    fix: "Give JSON for both. Lines of text that happen to be JSON belong into files whose names do not end in .json or .jsonl.",
  });
}

function readPredictionRows(
  file: TextFile,
  map: Readonly<Record<string, string>>,
  filter: string | undefined,
): LoadedPredictions {
  const { path } = file;
  const document = parseDocument(path, file.text);
  if (document.kind === "squad") {
    throw new UsageError({
      what: `${path} has no predictions`,
      actual: "questions in SQuAD's layout",
      expected: 'JSONL with "prediction" and "references"',
      fix: `Give the predictions with this file as their data set: --data PREDICTIONS --references ${path}`,
    });
  }
  const { rows } = document;
  const [first] = rows;
  if (isLmEvalRow(first?.value)) {
    const { placed, notes } = readLmEval(path, rows, map, filter);
    assertDistinctIds(path, placed);
    return { format: "lm-eval", path, predictions: placed.map(({ sample }) => sample), sha256: file.sha256, notes };
  }
  if (filter !== undefined) {
    throw new UsageError({
      what: "--filter is for samples of lm-evaluation-harness",
      actual: `${path}, whose rows have no filtered_resps`,
      fix: "Leave --filter out.",
    });
  }
  if (isRecord(first?.value) && Object.keys(map).length === 0) {
    assertNotKnownFile(path, first.value);
    if (rows.length === 1) assertNotDictionary(path, first.value);
  }
  const example = '{"prediction": "...", "references": ["..."]}';
  const placed = referencedRows(rows, { map, names: NAMES, example, mayBeEmpty: true }).map(({ row, references }) => {
    const { prediction } = checkFields(rowSchema, row);
    const isHidden = (name: string): boolean => name === "prediction" || name === map["prediction"];
    return { place: row.place, sample: { ...sampleOf(row, { references, isHidden }), prediction } };
  });
  assertDistinctIds(path, placed);
  return {
    format: "jsonl",
    path,
    predictions: placed.map(({ sample }) => sample),
    sha256: file.sha256,
    notes: [],
  };
}

/** Predictions by id need the data set that they answer. */
function assertNotDictionary(path: string, value: Readonly<Record<string, unknown>>): void {
  const { answer } = value;
  const texts = isRecord(answer) ? answer : value;
  const isDictionary = Object.values(texts).every((text) => typeof text === "string") && !("prediction" in texts);
  if (!isDictionary) return;
  throw new UsageError({
    what: `${path} has predictions by id, but no references`,
    expected: "the data set that they answer",
    fix: `Name its file: --data ${path} --references DATA`,
  });
}
