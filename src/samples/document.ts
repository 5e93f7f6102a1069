import { parsedJson } from "../parsed-json.js";
import { SampleError, messageOf } from "../errors.js";
import { jsonErrorPosition } from "./json-position.js";
import { isRecord, placedError, shown, type PlacedRow } from "./place.js";
import { rowsInside } from "./wrapped-rows.js";

/** A file of samples, parsed but not yet checked: rows, or one JSON document in SQuAD's layout. */
export type SampleDocument =
  | { readonly kind: "rows"; readonly rows: readonly PlacedRow[]; readonly notes?: readonly string[] }
  | { readonly kind: "squad"; readonly value: unknown };

/**
 * Tells rows (JSONL, a JSON array, or an object that wraps such an array) from a SQuAD document and parses them.
 * Throws {@link SampleError} with the line for what is not JSON, and for a file without content.
 */
export function parseDocument(path: string, text: string): SampleDocument {
  const start = text.search(/\S/);
  if (start < 0) throw noSamples(path);
  if (text[start] === "[") {
    const list = parseWhole(path, text);
    return { kind: "rows", rows: placedRows(path, Array.isArray(list) ? list : [list]) };
  }
  const lineEnd = text.indexOf("\n", start);
  const firstLine = text.slice(start, lineEnd < 0 ? text.length : lineEnd);
  const first = parsedJson(firstLine);
  if (first !== undefined && lineEnd >= 0 && text.slice(lineEnd).trim() !== "" && !isWrapper(first)) {
    return { kind: "rows", rows: parseLines(path, text) };
  }
  const whole = first !== undefined && !isWrapper(first) ? first : parsedJson(text);
  if (whole === undefined) {
    // What begins as a document of several lines is one with a fault in it; anything else is lines.
    const isDocument = first === undefined ? /^\{\s*("(version|data)"\s*:|$)/.test(firstLine) : true;
    return isDocument ? documentOf(path, parseWhole(path, text)) : { kind: "rows", rows: parseLines(path, text) };
  }
  return documentOf(path, whole, lineEnd < 0 || first !== undefined ? 1 + linesBefore(text, start) : undefined);
}

/** The error for a file that holds no sample. */
export function noSamples(path: string): SampleError {
  return new SampleError(
    { path },
    { what: `${path} holds no samples`, expected: "at least one", fix: "Give a file with samples in it." },
  );
}

function documentOf(path: string, value: unknown, line?: number): SampleDocument {
  if (isRecord(value)) {
    const { data, version } = value;
    const isVersion = typeof version === "string" && /^(v?1\.1|v2)/.test(version);
    const isSquad =
      Array.isArray(data) &&
      (isVersion || data.length === 0 || data.some((entry) => isRecord(entry) && "paragraphs" in entry));
    if (isSquad) return { kind: "squad", value };
    const inside = rowsInside(path, value);
    if (inside) return { kind: "rows", rows: placedRows(path, inside.rows), notes: inside.notes };
    if (Array.isArray(data)) return { kind: "squad", value };
  }
  const place = line === undefined ? { path, label: "sample 1" } : { path, label: `line ${line}`, line };
  return { kind: "rows", rows: [{ place, value }] };
}

function isWrapper(value: unknown): boolean {
  return isRecord(value) && Array.isArray(value["data"]);
}

function linesBefore(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length - 1;
}

function placedRows(path: string, values: readonly unknown[]): readonly PlacedRow[] {
  if (values.length === 0) throw noSamples(path);
  return values.map((value, index) => ({ place: { path, label: `sample ${index + 1}` }, value }));
}

function parseLines(path: string, text: string): readonly PlacedRow[] {
  const rows: PlacedRow[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = { path, label: `line ${index + 1}`, line: index + 1 };
    try {
      rows.push({ place, value: JSON.parse(line) as unknown });
    } catch (cause) {
      const { column } = jsonErrorPosition(line);
      throw placedError(place, {
        what: `invalid JSON at column ${column} (${reasonOf(cause)})`,
        actual: shown(line.slice(Math.max(0, column - 21), column + 19)),
        expected: "one JSON object on each line",
        fix: "Mend this line, or take it out.",
        cause,
      });
    }
  }
  return rows;
}
function parseWhole(path: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const { offset, line, column } = jsonErrorPosition(text);
    const breaksOff = text.slice(offset).trim() === "";
    throw placedError(
      { path, label: `line ${line}`, line },
      {
        what: `invalid JSON at column ${column} (${reasonOf(cause)})`,
        actual: breaksOff ? "the end of the file" : shown(text.slice(Math.max(0, offset - 20), offset + 20)),
        expected: "one complete JSON document",
        fix: breaksOff ? "The file seems cut off: fetch it again." : "Mend the file, or fetch it again.",
        cause,
      },
    );
  }
}

function reasonOf(cause: unknown): string {
  // V8 quotes the text around the fault in some of its messages; the error shows that itself.
  const message = messageOf(cause);
  return message
    .replace(/, (\.\.\.)?"[\s\S]*"(\.\.\.)? is not valid JSON$/, "")
    .replace(/( in JSON)? at position \d+.*$/, "");
}
