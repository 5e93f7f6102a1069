import { extname } from "node:path";
import { parsedJson } from "../parsed-json.js";
import { noSamples } from "./document.js";
import { placedError, shown, type Place, type PlacedRow } from "./place.js";
import { linesOf } from "./text-file.js";

/** One line of a table. */
export interface TsvLine {
  readonly place: Place;
  /** The texts between the tabs, as they are: quotation marks are part of a text. */
  readonly cells: readonly [string, ...string[]];
}

/** Whether a file is a table (or plain text, which is a table of one column) and not JSON, by its extension or its first line. */
export function isTable(path: string, text: string): boolean {
  const extension = extname(path).toLowerCase();
  if (extension === ".tsv") return true;
  if (/^\.(json|jsonl|ndjson)$/.test(extension)) return false;
  const firstLine = linesOf(text).find((line) => line.trim() !== "") ?? "";
  if (!/^\s*[[{]/.test(firstLine)) return true;
  return firstLine.trim().includes("\t") && parsedJson(firstLine) === undefined;
}

/** The lines of a table; blank ones are left out, and counted. Throws SampleError for a file without any. */
export function tsvLines(path: string, text: string): readonly [TsvLine, ...TsvLine[]] {
  const lines = linesOf(text).flatMap((line, index): TsvLine[] => {
    const [first = "", ...others] = line.split("\t");
    const place = { path, label: `line ${index + 1}`, line: index + 1 };
    const isBlank = others.length === 0 && first.trim() === "";
    return isBlank ? [] : [{ place, cells: [first, ...others] }];
  });
  const [first, ...others] = lines;
  if (first === undefined) throw noSamples(path);
  return [first, ...others];
}

/** Whether a line names columns: different short words without a tab or much else, and all of `names` among them. */
export function isHeader({ cells }: TsvLine, names: readonly string[]): boolean {
  const lower = cells.map((cell) => cell.trim().toLowerCase());
  return (
    names.every((name) => cells.includes(name) || lower.includes(name)) &&
    new Set(lower).size === lower.length &&
    lower.every((cell) => /^[\p{L}\p{N}_ .-]{1,40}$/u.test(cell))
  );
}

/** The lines under a header as rows. Throws SampleError for a line with another number of columns, and for a header alone. */
export function rowsUnderHeader(
  path: string,
  [header, ...lines]: readonly [TsvLine, ...TsvLine[]],
): readonly PlacedRow[] {
  if (lines.length === 0) throw noSamples(path);
  const names = header.cells.map((name) => name.trim());
  return rowsOfColumns(lines, names, "Give each line the columns that the first one names.");
}

/** Lines as rows with these fields. Throws SampleError with the line, and `fix`, for another number of columns. */
export function rowsOfColumns(lines: readonly TsvLine[], names: readonly string[], fix: string): readonly PlacedRow[] {
  return lines.map(({ place, cells }) => {
    if (cells.length !== names.length) {
      throw placedError(place, {
        what: "another number of columns",
        actual: `${cells.length} (${shown(cells.join("\t"))})`,
        expected: `${names.length}, with tabs between them: ${names.join(", ")}`,
        fix,
      });
    }
    return { place, value: Object.fromEntries(names.map((name, index) => [name, cells[index]])) };
  });
}
