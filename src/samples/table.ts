import { parsedJson } from "../parsed-json.js";
import { extname } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { SampleError, messageOf } from "../errors.js";
import { noSamples } from "./document.js";
import type { PlacedRow } from "./place.js";
import type { TextFile } from "./text-file.js";

/**
 * The rows of a table whose first line names its columns, as spreadsheets and data tools write it: commas, semicolons or tabs between the
 * cells, cells in quotation marks over several lines. Undefined for a text that is no such table.
 * @throws SampleError for a line with too many or too few cells, and for a table without rows.
 */
export function readTable({ path, text, isWhole }: TextFile): readonly PlacedRow[] | undefined {
  const delimiter = delimiterOf(path, text);
  if (delimiter === undefined) return undefined;
  const parsed = parsedRows(path, text, delimiter, isWhole);
  const rows = parsed.map(({ record, info: { lines } }) => {
    return { place: { path, label: `line ${lines}`, line: lines }, value: withLists(record) };
  });
  if (rows.length === 0) throw noSamples(path);
  return rows;
}

interface ParsedRow {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

function parsedRows(
  path: string,
  text: string,
  delimiter: string,
  isWhole: boolean,
  most?: number,
): readonly ParsedRow[] {
  const options = { bom: true, columns: true, delimiter, info: true, skip_empty_lines: true, trim: false } as const;
  try {
    return parse(text, { ...options, ...(most === undefined ? {} : { to: most }) }) as unknown as readonly ParsedRow[];
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const { lines, records } = cause as CsvError & { readonly lines?: number; readonly records?: number };
    // The last row of a part of a file may lack its end.
    if (!isWhole && most === undefined && records !== undefined && records > 0) {
      return parsedRows(path, text, delimiter, isWhole, records);
    }
    const place = lines === undefined ? {} : { line: lines };
    throw new SampleError(
      { path, ...place },
      {
        what: `${path}${lines === undefined ? "" : `, line ${lines}`}: this table cannot be read`,
        actual: messageOf(cause),
        expected:
          "as many cells in each line as the first one names; cells with a separator or a line break in quotation marks",
        fix: "Mend the line.",
        cause,
      },
    );
  }
}

/** By the extension, or a first line of short words that a table's second line has as many separators as. */
function delimiterOf(path: string, text: string): string | undefined {
  const name = path.replace(/\.gz$/i, "");
  const [first = "", second = ""] = text.trimStart().split(/\r?\n/, 2);
  if (/^\s*[[{]/.test(first)) return undefined;
  const count = (line: string, character: string): number => line.split(character).length - 1;
  const extension = extname(name).toLowerCase();
  if (extension === ".tsv" || extension === ".tab") return "\t";
  const used = [",", ";", "\t"].filter((character) => count(first, character) > 0);
  if (extension === ".csv") return used.sort((a, b) => count(first, b) - count(first, a))[0] ?? ",";
  const isHeader = first.length <= 200 && !/[.!?]\s/.test(first);
  return isHeader ? used.find((one) => one === "\t" && count(second, one) === count(first, one)) : undefined;
}

/** Several answers of a row stand as a list of JSON in their cell. */
function withLists(record: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const { answers } = record;
  if (answers === undefined || !/^\s*\[\s*"/.test(answers)) return record;
  return { ...record, answers: parsedJson(answers) ?? answers };
}
