import type { ColumnChunk, ColumnMetaData, FileMetaData } from "hyparquet";
import { SampleError, messageOf } from "../errors.js";
import { sha256File, withFileSource, type FileSource } from "../files/file-source.js";
import { LARGEST_BYTES, readWhole } from "../files/read-whole.js";
import { noSamples } from "./document.js";
import type { PlacedRow } from "./place.js";

/** Rows of a Parquet or Arrow file. */
export interface ColumnarFile {
  readonly path: string;
  readonly rows: readonly PlacedRow[];
  readonly sha256: string;
  /** Whether the rows are all of the file. */
  readonly isWhole: boolean;
}

/** The first values of a file, and how many it has. */
interface ReadValues {
  readonly values: readonly unknown[];
  readonly count: number;
}

/** Whether a file is of Parquet or of Arrow (a file, or a stream as Hugging Face's `datasets` keeps them), by its first bytes. */
export function columnarKind(head: Uint8Array): "parquet" | "arrow" | undefined {
  const start = Buffer.from(head.subarray(0, 6)).toString("latin1");
  if (start.startsWith("PAR1")) return "parquet";
  return start === "ARROW1" || start.startsWith("\xff\xff\xff\xff") ? "arrow" : undefined;
}

/**
 * Reads the first rows of a Parquet or Arrow file.
 * @throws SampleError for a damaged file, and for one of no rows.
 */
export async function readColumnar(path: string, kind: "parquet" | "arrow", mostRows: number): Promise<ColumnarFile> {
  const read = kind === "parquet" ? readParquet : readArrow;
  let found: ReadValues;
  try {
    found = await read(path, mostRows);
  } catch (cause) {
    throw new SampleError(
      { path },
      {
        what: `${path} is ${kind === "parquet" ? "a Parquet" : "an Arrow"} file that cannot be read`,
        actual: messageOf(cause),
        fix: "Fetch it again; if it is whole, write it as JSONL: `python3 -c \"import sys,pandas;pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2],orient='records',lines=True,force_ascii=False)\" IN OUT` (read_feather for Arrow).",
        cause,
      },
    );
  }
  if (found.values.length === 0) throw noSamples(path);
  const rows = found.values.map((value, i) => ({ place: { path, label: `row ${i + 1}` }, value: plain(value) }));
  return { path, rows, sha256: await sha256File(path), isWhole: rows.length >= found.count };
}

async function readParquet(path: string, mostRows: number): Promise<ReadValues> {
  const [{ parquetMetadataAsync, parquetReadObjects }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  return withFileSource(path, async (source) => {
    const file = { byteLength: source.size, slice: (start: number, end?: number) => slice(source, start, end) };
    const metadata = await parquetMetadataAsync(file);
    const count = Number(metadata.num_rows);
    const rowEnd = Math.min(count, mostRows);
    for (let values = 8 * (rowEnd + 1); ; values *= 8) {
      const part = rowEnd < count ? await cutColumns(source, metadata, values) : metadata;
      // Rows that each column has begun: what lies before the last of them is whole.
      const begun = new Map<string, number>();
      const rows = await parquetReadObjects({
        ...{ file, metadata: part, compressors, rowStart: 0, rowEnd },
        onPage: ({ pathInSchema, rowEnd: end }) => begun.set(pathInSchema.join("."), end),
      });
      if (part === metadata || Math.min(...begun.values()) > rowEnd) return { values: rows, count };
    }
  });
}

/** Columns that are no larger are read whole. */
const SMALL_COLUMN = 1 << 20;
/** Room for the header of a page, whose statistics may hold two values of the column. */
const HEADER_BYTES = 1 << 16;

/** The same file with the columns of its first group of rows cut behind so many values; the same object where nothing is cut. */
async function cutColumns(source: FileSource, metadata: FileMetaData, values: number): Promise<FileMetaData> {
  const [group, ...others] = metadata.row_groups;
  if (!group) return metadata;
  let isCut = false;
  const columns: ColumnChunk[] = [];
  for (const column of group.columns) {
    const { meta_data: meta } = column;
    const whole = Number(meta?.total_compressed_size ?? 0);
    const size = meta && whole > SMALL_COLUMN ? await bytesOfValues(source, meta, whole, values) : whole;
    isCut ||= size < whole;
    columns.push(meta ? { ...column, meta_data: { ...meta, total_compressed_size: BigInt(size) } } : column);
  }
  return isCut ? { ...metadata, row_groups: [{ ...group, columns }, ...others] } : metadata;
}

/** Bytes of the pages that hold the first so many values of a column. */
async function bytesOfValues(source: FileSource, meta: ColumnMetaData, whole: number, values: number): Promise<number> {
  const { parquetHeader } = await import("hyparquet/src/column.js");
  const start = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
  let done = 0;
  for (let seen = 0; done < whole && seen < values;) {
    const bytes = await slice(source, start + done, Math.min(start + done + HEADER_BYTES, start + whole));
    const reader = { view: new DataView(bytes), offset: 0 };
    const header = parquetHeader(reader);
    seen += header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
    done += reader.offset + header.compressed_page_size;
  }
  return Math.min(done, whole);
}

async function slice(source: FileSource, start: number, end = source.size): Promise<ArrayBuffer> {
  const from = start < 0 ? Math.max(0, source.size + start) : start;
  const bytes = await source.read(from, Math.min(end, source.size) - from);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

async function readArrow(path: string, mostRows: number): Promise<ReadValues> {
  const { tableFromIPC } = await import("@uwdata/flechette");
  const table = tableFromIPC(await readWhole(path, LARGEST_BYTES), { useDate: true, useProxy: false });
  const values = Array.from({ length: Math.min(table.numRows, mostRows) }, (_, i): unknown => table.get(i));
  return { values, count: table.numRows };
}

/** A value of a column as JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  return Object.fromEntries(Object.entries(value).map(([name, cell]) => [name, plain(cell)]));
}
