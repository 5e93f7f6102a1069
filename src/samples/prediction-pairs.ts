import { UsageError } from "../errors.js";
import { parseDocument } from "./document.js";
import { applyMap, type FieldMap } from "./field-map.js";
import { isHotpotRow } from "./hotpot.js";
import { assertNotKnownFile } from "./known-files.js";
import { assertDistinctIds, jointSha256 } from "./loaded.js";
import { defaultId, isRecord, placedError, shown, type Place, type PlacedRow } from "./place.js";
import type { LoadedPredictions, Prediction } from "./prediction.js";
import { readReferences } from "./reference-fields.js";
import { nameFields, sampleOf } from "./row.js";
import type { Sample } from "./sample.js";
import { samplesFromSquad } from "./squad.js";
import type { TextFile } from "./text-file.js";

/** The label of questions that can be answered from their paragraph or not, as the SQuAD v2.0 script breaks its scores down. */
export const ANSWERABLE = "answerable";

/** A data set with its ids. */
interface GoldData {
  readonly format: "squad1.1" | "squad2.0" | "hotpotqa" | "jsonl";
  readonly placed: readonly { readonly place: Place; readonly sample: Sample }[];
}

const IDS = ["_id", "id", "qid", "question_id", "query_id"];
const REFERENCES = ["references", "reference", "answers", "answer", "target", "label"];

/**
 * Outputs under the ids of the questions they answer, joined with the data set's file, as the official scripts take them: SQuAD's
 * `{id: text}`, HotpotQA's `{"answer": {id: text}, "sp": ...}`, or rows with an id and a prediction. A question without a prediction counts
 * as wrong by the scripts of SQuAD v1.1 and HotpotQA, and is left out by that of SQuAD v2.0; either is noted.
 *
 * Throws {@link UsageError} for files that cannot be meant and for ids of which none is in both, {@link SampleError} for rows that
 * cannot be read.
 */
export function joinPredictions(file: TextFile, data: TextFile, map: FieldMap): LoadedPredictions {
  const outputs = outputsOf(file, data.path, map);
  const gold = goldOf(data);
  assertDistinctIds(data.path, gold.placed);
  const ids = new Set(gold.placed.map(({ sample }) => sample.id));
  const answered = gold.placed.filter(({ sample }) => outputs.texts.has(sample.id));
  const [firstId] = outputs.texts.keys();
  if (answered.length === 0) {
    throw new UsageError({
      what: `${file.path} answers no question of ${data.path}`,
      actual: `the id ${shown(firstId)}, where the data has ${shown(gold.placed[0]?.sample.id)}`,
      expected: "the same ids in both files",
      fix: "Give the predictions of this data set.",
    });
  }
  const skips = gold.format === "squad2.0";
  const placed = skips ? answered : gold.placed;
  const missing = gold.placed.filter(({ sample }) => !outputs.texts.has(sample.id));
  const unknown = [...outputs.texts.keys()].filter((id) => !ids.has(id));
  return {
    format: gold.format,
    path: file.path,
    referencePaths: [data.path],
    predictions: placed.map(({ sample }) => predictionOf(sample, outputs.texts.get(sample.id), skips)),
    sha256: jointSha256([file, data]),
    notes: [
      ...missingNote(
        missing.map(({ sample }) => sample.id),
        gold,
        file.path,
      ),
      ...(unknown.length > 0
        ? [
            `${unknown.length} of ${outputs.texts.size} predictions answer no question of ${data.path} and are not scored, the first is ${shown(unknown[0])}.`,
          ]
        : []),
      ...outputs.notes,
    ],
  };
}

function predictionOf(sample: Sample, text: string | undefined, isV2: boolean): Prediction {
  const isAnswerable = sample.references.some((reference) => reference !== "");
  const label = isV2 ? { [ANSWERABLE]: isAnswerable ? "HasAns" : "NoAns" } : {};
  const group = { ...sample.group, ...label };
  return {
    ...sample,
    ...(Object.keys(group).length > 0 ? { group } : {}),
    prediction: text ?? "",
    ...(text === undefined ? { isMissing: true } : {}),
  };
}

function missingNote(ids: readonly string[], { format, placed }: GoldData, path: string): readonly string[] {
  const [first] = ids;
  if (first === undefined) return [];
  const count = `${ids.length} of ${placed.length} questions have no prediction in ${path}, the first is ${shown(first)}`;
  const script = format === "hotpotqa" ? "hotpot_evaluate_v1.py" : "evaluate-v1.1.py";
  if (format === "squad2.0") return [`${count}. They are left out, as evaluate-v2.0.py does.`];
  return [`${count}. They count as wrong, as ${script} counts them.`];
}

interface OutputTexts {
  readonly texts: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
}

function outputsOf(file: TextFile, dataPath: string, map: FieldMap): OutputTexts {
  const { path } = file;
  const document = parseDocument(path, file.text);
  if (document.kind === "squad") throw notPredictions(path, dataPath, "questions in SQuAD's layout");
  const [first] = document.rows;
  const value = first?.value;
  if (document.rows.length === 1 && isRecord(value) && !isOutputRow(value, map)) {
    assertNotKnownFile(path, value);
    const answers = value["answer"];
    if (!isRecord(answers)) return { texts: dictionaryTexts(path, value), notes: [] };
    const hasFacts = isRecord(value["sp"]) && Object.keys(value["sp"]).length > 0;
    return {
      texts: dictionaryTexts(path, answers),
      notes: hasFacts ? [`Supporting facts ("sp") are not scored, answers alone are.`] : [],
    };
  }
  if (isRecord(value) && !isOutputRow(value, map)) {
    assertNotKnownFile(path, value);
    if (isHotpotRow(value) || "question" in value) throw notPredictions(path, dataPath, "questions with their answers");
  }
  const texts = new Map<string, string>();
  for (const { place, value: row } of document.rows) {
    const [id, text] = rowText(place, row, map);
    if (texts.has(id))
      throw placedError(place, { what: "a second prediction for one id", actual: shown(id), fix: "Keep one of them." });
    texts.set(id, text);
  }
  return { texts, notes: [] };
}

function isOutputRow(value: Readonly<Record<string, unknown>>, map: FieldMap): boolean {
  const output = map["prediction"]?.split(".")[0];
  const isNamed = output !== undefined && output in value;
  return isNamed || ["prediction", "prediction_text"].some((name) => typeof value[name] === "string");
}

function rowText(place: Place, value: unknown, map: FieldMap): readonly [id: string, text: string] {
  if (!isRecord(value))
    throw placedError(place, {
      what: "not an object",
      actual: shown(value),
      expected: 'an object such as {"id": "...", "prediction": "..."}',
    });
  const { fields } = applyMap(place, value, map, () => false);
  const id = idOf(fields);
  const text = fields["prediction"] ?? fields["prediction_text"];
  if (id !== undefined && typeof text === "string") return [id, text];
  const field = id === undefined ? "id" : "prediction";
  throw placedError(
    place,
    {
      what: `field "${field}" is missing`,
      actual: Object.keys(value).join(", "),
      expected: '"id" and "prediction", a text',
      fix: `If the field has another name, say which: --map ${field}=NAME`,
    },
    field,
  );
}

/** The texts of a dictionary by id. Throws {@link UsageError} for one that holds something else than predictions. */
function dictionaryTexts(path: string, dictionary: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const entries = Object.entries(dictionary);
  const other = entries.find(([, text]) => typeof text !== "string");
  if (entries.length === 0) throw new UsageError({ what: `${path} holds no predictions`, actual: "an empty object" });
  if (other === undefined) return new Map(entries.map(([id, text]) => [id, String(text)]));
  const [id, value] = other;
  const isBest = entries.every(([, entry]) => Array.isArray(entry) && entry.every(isRecord));
  const areNumbers = entries.every(([, entry]) => typeof entry === "number");
  throw new UsageError({
    what: isBest
      ? `${path} holds the best answers to each question, not one`
      : areNumbers
        ? `${path} holds numbers, such as the probabilities of no answer`
        : `${path} does not hold predictions`,
    actual: `${shown(id)}: ${shown(value)}`,
    expected: '{"id": "text", ...}',
    fix:
      isBest || areNumbers
        ? "Give the predictions.json that was written with it."
        : "Give the predictions that the official script takes.",
  });
}

function notPredictions(path: string, dataPath: string, actual: string): UsageError {
  return new UsageError({
    what: `${path} has no predictions`,
    actual,
    expected: 'predictions by id: {"id": "text", ...}',
    fix:
      path === dataPath
        ? "Give the predictions as --data and the data set as --references."
        : `If the files are the other way round: --data ${dataPath} --references ${path}`,
  });
}

/** Reads a data set for its references; what prompts need need not be there. */
function goldOf({ path, text }: TextFile): GoldData {
  const document = parseDocument(path, text);
  if (document.kind === "squad") {
    const { format, placed } = samplesFromSquad(path, document.value);
    return { format: format === "squad2.0" ? "squad2.0" : "squad1.1", placed };
  }
  const { rows } = document;
  const [first] = rows;
  if (rows.length === 1) {
    assertNotKnownFile(path, first?.value);
    if (
      isRecord(first?.value) &&
      Object.values(first.value).every((value) => typeof value === "string" || isRecord(value)) &&
      idOf(first.value) === undefined
    ) {
      throw new UsageError({
        what: `${path} has no references`,
        actual: "predictions by id",
        expected: "the file of the data set",
        fix: "Give the predictions as --data and the data set as --references.",
      });
    }
  }
  const isHotpot = isRecord(first?.value) && ("_id" in first.value || isHotpotRow(first.value));
  const isV2 = rows.some(
    ({ value }) => isRecord(value) && isRecord(value["answers"]) && isEmptyList(value["answers"]["text"]),
  );
  return { format: isHotpot ? "hotpotqa" : isV2 ? "squad2.0" : "jsonl", placed: rows.map(goldRow) };
}

function goldRow(placed: PlacedRow): { place: Place; sample: Sample } {
  const isReference = (name: string): boolean => REFERENCES.includes(name);
  const row = nameFields(placed, { map: {}, isReference, example: '{"id": "...", "answers": ["..."]}' });
  const { texts } = readReferences(row, REFERENCES, { mayBeEmpty: true });
  const sample = sampleOf(
    { ...row, fields: { ...row.fields, id: idOf(row.fields) ?? defaultId(placed.place) } },
    { references: texts },
  );
  return { place: placed.place, sample };
}

function idOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  const id = IDS.map((name) => fields[name]).find((value) => typeof value === "string" || typeof value === "number");
  return id === undefined ? undefined : String(id);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
