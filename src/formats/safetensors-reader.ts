import { FormatError } from "../errors.js";
import { withFileSource } from "../files/file-source.js";
import { JsonCursor } from "./json-cursor.js";
import { assertNotPlaceholder, PLACEHOLDER_BYTES } from "./placeholder-file.js";
import { printable } from "../files/printable.js";
import { isSafetensorsDtype, safetensorsByteLength, type SafetensorsDtype } from "./safetensors-dtype.js";

/** One tensor of a safetensors file. `shape` is in PyTorch's order: the last dimension is the row length; [] is a scalar. */
export interface SafetensorsTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Where its data starts, in bytes from the beginning of the file. */
  readonly offset: number;
  readonly byteLength: number;
  /** The file it lies in. */
  readonly path: string;
}

/** The header of a safetensors file: everything but the tensors' data. `tensors` in the header's order, `fileSize` in bytes. */
export interface SafetensorsHeader {
  readonly path: string;
  readonly fileSize: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: readonly SafetensorsTensor[];
}

/** The key that holds metadata instead of a tensor. */
export const METADATA_KEY = "__metadata__";
/** Bytes of the header's length in front of it. */
export const LENGTH_BYTES = 8;
/** Largest header that readers take, in bytes. Source: MAX_HEADER_SIZE in safetensors/src/tensor.rs. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Two dimensions are usual; a bound keeps the memory for a hostile header small. */
const MAX_DIMS = 64;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads and checks the header of a safetensors file: all that the format's own library checks, and that no name occurs twice.
 * Source: README.md and safetensors/src/tensor.rs of github.com/huggingface/safetensors.
 * @throws FileError when the file cannot be read, FormatError when it is not a sound safetensors file.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFileSource(path, async (source) => {
    const start = await source.read(0, Math.min(PLACEHOLDER_BYTES, source.size));
    assertNotPlaceholder(start, path);
    const prefix = start.subarray(0, LENGTH_BYTES);
    const length = safetensorsHeaderLength(prefix, path, source.size);
    return parseSafetensorsHeader(await source.read(LENGTH_BYTES, length), path, source.size);
  });
}

/**
 * The header's length in bytes, out of the first 8 bytes of a file of `fileSize` bytes.
 * @throws FormatError when the file is shorter than that, or the length above 100 MB.
 */
export function safetensorsHeaderLength(prefix: Uint8Array, path: string, fileSize: number): number {
  if (prefix.length < LENGTH_BYTES) {
    throw new FormatError(path, {
      what: `${path} is not a safetensors file`,
      actual: fileSize === 0 ? "an empty file" : `${fileSize} bytes`,
      expected: "8 bytes of header length first",
      fix: "Give an adapter in safetensors format.",
    });
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  const most = Math.min(MAX_HEADER_BYTES, fileSize - LENGTH_BYTES);
  if (length <= BigInt(most)) return Number(length);
  throw new FormatError(path, {
    what: `${path} is not a safetensors file, or it is truncated: the header's length cannot be right`,
    actual: `${length} bytes`,
    expected: `at most ${most}`,
    fix: "Check that the file is complete, or fetch it again.",
  });
}

/**
 * Reads and checks the JSON of a header, which starts behind the first 8 bytes of a file of `fileSize` bytes.
 * @throws FormatError when it is not sound.
 */
export function parseSafetensorsHeader(json: Uint8Array, path: string, fileSize: number): SafetensorsHeader {
  const text = decodeUtf8(json, path, "the header");
  if (!text.startsWith("{")) {
    throw new FormatError(path, {
      what: `${path} is not a safetensors file`,
      actual: `a header that starts with ${JSON.stringify(printable(text.slice(0, 8)))}`,
      expected: '"{"',
      fix: "Give an adapter in safetensors format.",
    });
  }
  const dataStart = LENGTH_BYTES + json.length;
  const cursor = new JsonCursor(text, path, "the header");
  let metadata: ReadonlyMap<string, string> = new Map();
  const tensors: SafetensorsTensor[] = [];
  cursor.object((name) => {
    if (name === METADATA_KEY) metadata = readStringMap(cursor);
    else tensors.push(readTensor(cursor, name, path, dataStart));
  });
  cursor.end();
  checkPlacement(tensors, path, dataStart, fileSize);
  return { path, fileSize, metadata, tensors };
}

/** Text out of UTF-8 bytes. @throws FormatError when they are none. */
export function decodeUtf8(bytes: Uint8Array, path: string, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path}: ${what} is not valid UTF-8`,
      fix: "The file is damaged or in another format: fetch it again.",
      cause,
    });
  }
}

/** Reads an object whose values are all strings. */
export function readStringMap(cursor: JsonCursor): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  cursor.object((key) => {
    map.set(key, cursor.string());
  });
  return map;
}

function readTensor(cursor: JsonCursor, name: string, path: string, dataStart: number): SafetensorsTensor {
  if (name === "") throw tensorError(path, name, "a tensor without a name");
  let dtype: string | undefined;
  let shape: readonly number[] | undefined;
  let offsets: readonly number[] | undefined;
  cursor.object((key) => {
    if (key === "dtype") dtype = cursor.string();
    else if (key === "shape") shape = readCounts(cursor, () => tensorError(path, name, "too many dimensions"));
    else if (key === "data_offsets") offsets = readCounts(cursor, () => tensorError(path, name, "too many offsets"));
    else cursor.skip();
  });
  const [begin, end] = offsets ?? [];
  if (dtype === undefined || !shape || begin === undefined || end === undefined || offsets?.length !== 2) {
    throw tensorError(path, name, "an incomplete entry", undefined, "dtype, shape and two data_offsets");
  }
  if (!isSafetensorsDtype(dtype)) {
    throw tensorError(path, name, "unknown dtype", printable(dtype), "a dtype of safetensors 0.8, such as F32 or BF16");
  }
  const byteLength = safetensorsByteLength(dtype, shape);
  if (byteLength === undefined) {
    throw tensorError(
      path,
      name,
      "impossible shape",
      `[${shape.join(", ")}] of ${dtype}`,
      "whole bytes below 2^53 bits",
    );
  }
  if (end < begin || end - begin !== byteLength) {
    const expected = `${byteLength} bytes for ${dtype} [${shape.join(", ")}]`;
    throw tensorError(path, name, "data_offsets do not fit the shape", `${begin} to ${end}`, expected);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength, path };
}

function readCounts(cursor: JsonCursor, tooMany: () => FormatError): readonly number[] {
  const counts: number[] = [];
  cursor.array(() => {
    if (counts.length === MAX_DIMS) throw tooMany();
    counts.push(cursor.count());
  });
  return counts;
}

/** The data section must be covered by the tensors without a gap, an overlap or bytes left over. */
function checkPlacement(
  tensors: readonly SafetensorsTensor[],
  path: string,
  dataStart: number,
  fileSize: number,
): void {
  const inFileOrder = [...tensors].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const { name, offset, byteLength } of inFileOrder) {
    if (offset !== end) {
      const what = offset < end ? "its data overlaps another tensor's" : "there is a gap before its data";
      throw tensorError(path, name, what, `offset ${offset - dataStart}`, `offset ${end - dataStart}`);
    }
    end += byteLength;
    if (end > fileSize) {
      throw new FormatError(path, {
        what: `${path} is truncated: the data of tensor ${printable(name)} lies beyond its end`,
        actual: `${fileSize} bytes`,
        expected: `at least ${end} bytes`,
        fix: "The file is probably an incomplete download or copy: fetch it again.",
      });
    }
  }
  if (end === fileSize) return;
  throw new FormatError(path, {
    what: `${path} has bytes that belong to no tensor`,
    actual: `${fileSize} bytes`,
    expected: `${end} bytes`,
    fix: "The file is damaged or was written by a faulty tool: fetch or convert it again.",
  });
}

function tensorError(path: string, name: string, what: string, actual?: string, expected?: string): FormatError {
  return new FormatError(path, {
    what: name === "" ? `${path}: ${what}` : `${path}: tensor ${printable(name)}: ${what}`,
    ...(actual === undefined ? {} : { actual }),
    ...(expected === undefined ? {} : { expected }),
    fix: "The file is damaged or was written by a faulty tool: fetch or convert it again.",
  });
}
