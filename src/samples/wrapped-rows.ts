import { SampleError } from "../errors.js";
import { isRecord } from "./place.js";

/** Names under which files of one object keep their list of rows. */
const ROW_LISTS = ["data", "rows", "examples", "instances", "samples", "items", "records", "entries", "dataset"];

/** Names of the parts of a data set; a file with one of them has its rows there. */
const PARTS = ["train", "training", "validation", "valid", "val", "dev", "eval", "test"];

/** Rows that were found inside of one JSON object, and what a user should know about them. */
interface WrappedRows {
  readonly rows: readonly unknown[];
  readonly notes: readonly string[];
}

/**
 * The rows of an object that holds a whole data set: `{"data": [...]}` and the like, rows as the Hugging Face viewer gives
 * them (`{"rows": [{"row": {...}}]}`), pandas' orients `split`, `columns` and `list`, rows under their ids. Undefined for an object
 * that is a row itself, or something else. Throws {@link SampleError} for cells that the viewer cut off, and for several parts.
 */
export function rowsInside(path: string, value: Readonly<Record<string, unknown>>): WrappedRows | undefined {
  const viewer = viewerRows(path, value);
  if (viewer) return viewer;
  const rows = listedRows(path, value) ?? splitOrient(value) ?? columnOrient(value) ?? rowsById(value);
  return rows && { rows, notes: [] };
}

function viewerRows(path: string, value: Readonly<Record<string, unknown>>): WrappedRows | undefined {
  const { rows, num_rows_total: total } = value;
  if (!isRecords(rows) || !rows.every(({ row }) => isRecord(row))) return undefined;
  const cut = rows.findIndex(({ truncated_cells: cells }) => Array.isArray(cells) && cells.length > 0);
  if (cut >= 0) {
    throw new SampleError(
      { path },
      {
        what: `${path}, sample ${cut + 1}: the data set viewer cut off some of its cells`,
        actual: `truncated_cells ${JSON.stringify(rows[cut]?.["truncated_cells"])}`,
        fix: "Download the data set's own file instead of the viewer's answer.",
      },
    );
  }
  const isPage = typeof total === "number" && total > rows.length;
  return {
    rows: rows.map(({ row }) => row),
    notes: isPage ? [`${path} is a page of the data set viewer with ${rows.length} of ${total} rows.`] : [],
  };
}

function listedRows(path: string, value: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const listed = ROW_LISTS.filter((name) => isRecords(value[name]));
  const parts = PARTS.filter((name) => isRecords(value[name]));
  const [first, second] = listed.length > 0 ? listed : parts;
  if (first === undefined) return undefined;
  if (second === undefined) return value[first] as readonly unknown[];
  const names = [...listed, ...parts];
  throw new SampleError(
    { path },
    {
      what: `${path} holds several lists of samples`,
      actual: names.join(", "),
      expected: "one list",
      fix: "Write the one that you mean into a file of its own.",
    },
  );
}

/** `{"columns": ["question", "answer"], "data": [["...", "..."]]}`. */
function splitOrient({ columns, data }: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  if (!Array.isArray(columns) || !Array.isArray(data) || data.length === 0) return undefined;
  const rows: readonly unknown[] = data;
  if (!rows.every((row): row is readonly unknown[] => Array.isArray(row) && row.length === columns.length))
    return undefined;
  return rows.map((row) => Object.fromEntries(columns.map((name, at) => [String(name), row[at]])));
}

/** `{"question": ["...", "..."], "answer": ["...", "..."]}`, or the same with the rows' numbers: `{"question": {"0": "..."}}`. */
function columnOrient(value: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const columns = Object.entries(value).map(([name, column]) => [name, columnCells(column)] as const);
  const [first] = columns;
  const count = first?.[1]?.length ?? 0;
  if (columns.length < 2 || count === 0 || columns.some(([, cells]) => cells?.length !== count)) return undefined;
  return Array.from({ length: count }, (_, at) =>
    Object.fromEntries(columns.map(([name, cells]) => [name, cells?.[at]])),
  );
}

function columnCells(column: unknown): readonly unknown[] | undefined {
  if (Array.isArray(column)) return column.every((cell) => !isRecord(cell)) && column.length > 1 ? column : undefined;
  if (!isRecord(column)) return undefined;
  const names = Object.keys(column);
  return names.every((name, at) => name === String(at)) ? names.map((name) => column[name]) : undefined;
}

/** `{"q1": {"question": "...", "answer": "..."}, ...}`: at least two, with the same first field. */
function rowsById(value: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const entries = Object.entries(value);
  const isRow = (row: unknown): boolean => isRecord(row) && Object.values(row).some((cell) => typeof cell === "string");
  const [first] = entries;
  const field = isRecord(first?.[1]) ? Object.keys(first[1])[0] : undefined;
  if (entries.length < 2 || field === undefined) return undefined;
  const areRows = entries.every(([, row]) => isRow(row) && isRecord(row) && field in row);
  return areRows ? entries.map(([id, row]) => ({ id, ...(isRecord(row) ? row : {}) })) : undefined;
}

function isRecords(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) && value.length > 0 && value.every(isRecord);
}
