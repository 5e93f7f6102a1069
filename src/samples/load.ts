import { UsageError } from "../errors.js";
import { columnarKind, readColumnar, type ColumnarFile } from "./columnar.js";
import { chatLayoutOf, type ChatLayoutName } from "./chat/chat-layouts.js";
import { readChat } from "./chat/read-chat.js";
import { readCustom } from "./custom.js";
import { parseDocument, type SampleDocument } from "./document.js";
import { isHotpotRow, sampleFromHotpot } from "./hotpot.js";
import { sampleFromRow } from "./jsonl.js";
import { assertLimit, loadedSamples, type ReadSamples } from "./loaded.js";
import { readMath } from "./math.js";
import { loadParallel } from "./parallel.js";
import { isRecord, placedError, shown, type PlacedRow } from "./place.js";
import { assertNotKnownFile } from "./known-files.js";
import { otherTextError } from "./other-files.js";
import type { LoadedSamples, LoadOptions, Sample, SampleKind } from "./sample.js";
import { samplesFromSquad } from "./squad.js";
import { readSummaries } from "./summary.js";
import { headOf, readTextFile, type TextFile } from "./text-file.js";
import { readTranslations, readTranslationTable } from "./translation.js";
import { readTable } from "./table.js";
import { isTable } from "./tsv.js";
import { readYesNo, readYesNoTable } from "./yes-no.js";

/** So many rows show the layout of a file. */
const ROWS_LOOKED_AT = 20;

/**
 * Reads and checks a file of samples, or parallel files where `references` are given. The format is detected from the content;
 * `kind` decides how rows are read that could be meant in several ways.
 *
 * Throws FileError when the file cannot be read, SampleError (with path, line and field as far as they are known) when its
 * content is not usable, {@link UsageError} for options that cannot be.
 */
export async function loadSamples(path: string, options: LoadOptions = {}): Promise<LoadedSamples> {
  const { kind = "qa", map = {}, references, limit } = options;
  assertLimit(limit);
  if (references !== undefined) {
    if (kind !== "translation" || Object.keys(map).length > 0) {
      throw new UsageError({
        what: `--references does not go with ${kind === "translation" ? "--map" : `--task ${kind}`}`,
        actual: references.join(", "),
        expected: "parallel text files to translate",
        fix: kind === "translation" ? "Leave --map out: the lines have no fields." : "Leave --references out.",
      });
    }
    return loadParallel(path, references, options);
  }
  const own = options.readSamples ? undefined : columnarKind(await headOf(path));
  // Some rows may give no sample, so that more of them are read until there are enough.
  for (let most = limit ?? Number.POSITIVE_INFINITY; ; most *= 4) {
    const file = own ? await readColumnar(path, own, most) : await readTextFile(path, undefined, most);
    const read = readSamples(file, kind, { ...options, map });
    if (file.isWhole || read.placed.length >= (limit ?? 0)) return loadedSamples([file], read, limit);
  }
}

function readSamples(
  file: TextFile | ColumnarFile,
  kind: SampleKind,
  options: LoadOptions & Required<Pick<LoadOptions, "map">>,
): ReadSamples {
  const { map, context = "supporting" } = options;
  const { path } = file;
  if ("rows" in file) return readRows(path, file.rows, kind, options);
  const { text } = file;
  if (options.readSamples) return readByFunction(path, options.readSamples(text, path));
  if (kind === "yes-no" && isTable(path, text)) return readYesNoTable(path, text, map);
  if (kind === "translation" && isTable(path, text)) return readTranslationTable(path, text, options);
  const table = readTable(file);
  if (table) return readRows(path, table, kind, options);
  const document = parseJson(path, text);
  if (document.kind === "squad") {
    assertReadsSquad(path, kind, map);
    return samplesFromSquad(path, document.value);
  }
  const { rows } = document;
  if (rows.length === 1) assertNotKnownFile(path, rows[0]?.value);
  if (isHotpot(rows[0]?.value, kind, map)) return readHotpot(rows, context);
  const read = readRows(path, rows, kind, options);
  return { ...read, notes: [...(document.notes ?? []), ...(read.notes ?? [])] };
}

/** @throws SampleError where a function of the user's own gave something else than samples. */
function readByFunction(path: string, samples: readonly Sample[]): ReadSamples {
  const placed = samples.map((sample, i) => ({ place: { path, label: `sample ${i + 1}` }, sample }));
  for (const { place, sample } of placed) {
    const { id, variables, references } = sample as Partial<Sample>;
    const isSample =
      typeof id === "string" && isRecord(variables) && Array.isArray(references) && references.length > 0;
    if (isSample && references.every((reference) => typeof reference === "string")) continue;
    throw placedError(place, {
      what: "the task's readSamples gave no sample",
      actual: shown(sample),
      expected: '{ id: "1", variables: { question: "..." }, references: ["..."] }',
    });
  }
  return { format: "custom", placed };
}

function parseJson(path: string, text: string): SampleDocument {
  try {
    return parseDocument(path, text);
  } catch (cause) {
    throw otherTextError(path, text) ?? cause;
  }
}

function readRows(
  path: string,
  rows: readonly PlacedRow[],
  kind: SampleKind,
  options: LoadOptions & Required<Pick<LoadOptions, "map">>,
): ReadSamples {
  const { map, layout = Object.keys(map).length > 0 ? "rows" : layoutOfRows(rows) } = options;
  if (layout !== "rows") return readChat(rows, { ...options, layout });
  switch (kind) {
    case "qa":
    case "chat":
      return {
        format: "jsonl",
        placed: rows.map((row) => ({ place: row.place, sample: sampleFromRow(row, map) })),
      };
    case "math":
      return readMath(rows, map);
    case "summary":
      return readSummaries(rows, map);
    case "translation":
      return readTranslations(path, rows, options);
    case "yes-no":
      return readYesNo(rows, map);
    case "custom":
      return readCustom(rows, map);
  }
}

/** The layout of most of the first rows: some may be wrong. */
function layoutOfRows(rows: readonly PlacedRow[]): ChatLayoutName | "rows" {
  const counts = new Map<ChatLayoutName | "rows", number>();
  for (const { value } of rows.slice(0, ROWS_LOOKED_AT)) {
    const layout = chatLayoutOf(value) ?? "rows";
    counts.set(layout, (counts.get(layout) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? "rows";
}

function assertReadsSquad(path: string, kind: SampleKind, map: object): void {
  const isQuestionAnswering = kind === "qa" || kind === "chat" || kind === "custom";
  if (isQuestionAnswering && Object.keys(map).length === 0) return;
  throw new UsageError({
    what: `${isQuestionAnswering ? "--map" : `--task ${kind}`} does not go with this file`,
    actual: `${path} in SQuAD's layout`,
    expected: "JSONL",
    fix: isQuestionAnswering
      ? "Leave --map out: the fields of this layout are known."
      : "Use --task qa, or give data for the task.",
  });
}

/** A custom task takes rows of any layout, so only what cannot be anything else is HotpotQA there. */
function isHotpot(row: unknown, kind: SampleKind, map: object): boolean {
  if (Object.keys(map).length > 0) return false;
  if (kind === "qa" || kind === "chat") return isHotpotRow(row);
  return kind === "custom" && isRecord(row) && "supporting_facts" in row && "context" in row && isHotpotRow(row);
}

function readHotpot(rows: readonly PlacedRow[], context: "supporting" | "all"): ReadSamples {
  const read = rows.map((row) => ({ place: row.place, ...sampleFromHotpot(row, context) }));
  const lacking = read.filter(({ supporting }) => supporting.found < supporting.listed);
  const empty = lacking.filter(({ supporting }) => supporting.found === 0);
  const note =
    `${lacking.length} of ${read.length} samples lack some of their supporting sentences` +
    (empty.length > 0 ? `, ${empty.length} of them all (their context is empty)` : "") +
    ": the file's paragraphs do not hold them.";
  return { format: "hotpotqa", placed: read, notes: context === "supporting" && lacking.length > 0 ? [note] : [] };
}
