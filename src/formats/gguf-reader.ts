import { FormatError } from "../errors.js";
import { withFileSource, type FileSource } from "../files/file-source.js";
import { ggmlType, type GgmlType } from "./ggml-types.js";
import { GgufCursor, HeaderCutError } from "./gguf-cursor.js";
import { metadataNumber, type GgufMetadata, type GgufValue } from "./gguf-value.js";
import { assertNotPlaceholder, PLACEHOLDER_BYTES } from "./placeholder-file.js";
import { printable } from "../files/printable.js";

/** One tensor of a GGUF file. `dims` are in ggml's order: dims[0] is the row length. */
export interface GgufTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: GgmlType;
  /** Where its data starts, in bytes from the beginning of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** The header of a GGUF file: everything but the tensors' data. */
export interface GgufHeader {
  readonly path: string;
  readonly fileSize: number;
  readonly version: number;
  readonly alignment: number;
  readonly metadata: GgufMetadata;
  readonly tensors: readonly GgufTensor[];
}

/** Longest tensor name that llama.cpp takes, in bytes (GGML_MAX_NAME - 1). */
const MAX_NAME_BYTES = 63;
const MAX_DIMS = 4;
const DEFAULT_ALIGNMENT = 32;
/** First read of a header; doubled until the header fits. Adapters fit in one, vocabularies need a few more. */
const FIRST_READ_BYTES = 1 << 20;
/** Largest header, in bytes. The largest vocabularies take some 20 MB. */
const MAX_HEADER_BYTES = 1 << 27;
/** Models have some hundred metadata entries and at most some ten thousand tensors (experts stored one by one). */
const MAX_METADATA_ENTRIES = 1 << 16;
const MAX_TENSORS = 1 << 18;

/**
 * Reads and checks the header of a GGUF file (version 2 or 3, little endian).
 * Checks all that llama.cpp checks, and that every tensor's data lies inside the file.
 * Source: ggml/docs/gguf.md and ggml/src/gguf.cpp of llama.cpp.
 * @throws FileError when the file cannot be read, FormatError when it is not a sound GGUF file.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  return withFileSource(path, async (source) => {
    await checkMagic(source);
    for (let length = FIRST_READ_BYTES; ; length *= 2) {
      const bytes = await source.read(0, Math.min(length, source.size));
      try {
        return parseGgufHeader(bytes, path, source.size);
      } catch (error) {
        if (!(error instanceof HeaderCutError)) throw error;
        if (length >= source.size) throw cutError(path, source.size);
        if (length >= MAX_HEADER_BYTES) throw headerSizeError(path);
      }
    }
  });
}

async function checkMagic(source: FileSource): Promise<void> {
  const magic = await source.read(0, Math.min(4, source.size));
  if (magic.toString("latin1") === "GGUF") return;
  assertNotPlaceholder(await source.read(0, Math.min(PLACEHOLDER_BYTES, source.size)), source.path);
  throw new FormatError(source.path, {
    what: `${source.path} is not a GGUF file`,
    actual: source.size === 0 ? "an empty file" : `the first bytes ${JSON.stringify(magic.toString("latin1"))}`,
    expected: '"GGUF"',
    fix: "Give a model or adapter in GGUF format.",
  });
}

/**
 * Parses and checks a header out of the first bytes of a file of `fileSize` bytes; {@link readGgufHeader} without the file.
 * The magic number is not looked at.
 * @throws FormatError when it is not sound, HeaderCutError when the header goes on behind these bytes.
 */
export function parseGgufHeader(bytes: Buffer, path: string, fileSize: number): GgufHeader {
  const cursor = new GgufCursor(bytes, path, fileSize);
  cursor.uint32();
  const version = cursor.uint32();
  if (version !== 2 && version !== 3) throw versionError(path, version);
  // A tensor entry takes at least 8 + 4 + 4 + 8 bytes, a metadata entry at least 8 + 4 + 1.
  const tensorCount = cursor.count("number of tensors", 24, MAX_TENSORS);
  const metadataCount = cursor.count("number of metadata entries", 13, MAX_METADATA_ENTRIES);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.name(`metadata key ${i}`);
    if (key === "" || metadata.has(key)) throw duplicateError(path, "metadata key", key);
    metadata.set(key, cursor.value(key));
  }
  const alignment = readAlignment(metadata, path);
  const entries: Omit<TensorEntry, "expectedOffset">[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const entry = readTensorEntry(cursor, path, i);
    if (names.has(entry.name)) throw duplicateError(path, "tensor name", entry.name);
    names.add(entry.name);
    entries.push(entry);
  }
  const dataStart = roundUp(cursor.offset, alignment);
  let expectedOffset = 0;
  const tensors = entries.map((entry) => {
    const tensor = placeTensor({ ...entry, expectedOffset }, dataStart, path, fileSize);
    expectedOffset += roundUp(tensor.byteLength, alignment);
    return tensor;
  });
  return { path, fileSize, version, alignment, metadata, tensors };
}

interface TensorEntry {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: GgmlType;
  readonly relativeOffset: bigint;
  readonly expectedOffset: number;
}

function readTensorEntry(cursor: GgufCursor, path: string, index: number): Omit<TensorEntry, "expectedOffset"> {
  const name = cursor.name(`name of tensor ${index}`);
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > MAX_NAME_BYTES) {
    throw tensorError(path, name, "the name is too long", `${nameBytes} bytes`, `at most ${MAX_NAME_BYTES}`);
  }
  const rank = cursor.uint32();
  if (rank > MAX_DIMS) throw tensorError(path, name, "too many dimensions", String(rank), `at most ${MAX_DIMS}`);
  const dims: number[] = [];
  let elements = 1n;
  for (let d = 0; d < rank; d++) {
    const dim = cursor.uint64();
    elements *= dim;
    if (dim === 0n || elements > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw tensorError(
        path,
        name,
        "impossible shape",
        `dimension ${d} = ${dim}`,
        "a positive size below 2^53 elements",
      );
    }
    dims.push(Number(dim));
  }
  const typeId = cursor.uint32();
  const type = ggmlType(typeId);
  if (!type) throw tensorError(path, name, "unknown tensor type", String(typeId), "a type of this llama.cpp release");
  const row = dims[0] ?? 1;
  if (row % type.blockSize !== 0) {
    throw tensorError(
      path,
      name,
      `rows do not fit the type ${type.name}`,
      `${row} elements`,
      `a multiple of ${type.blockSize}`,
    );
  }
  return { name, dims, type, relativeOffset: cursor.uint64() };
}

function placeTensor(entry: TensorEntry, dataStart: number, path: string, fileSize: number): GgufTensor {
  const { name, dims, type } = entry;
  const byteLength = (dims.reduce((product, dim) => product * dim, 1) / type.blockSize) * type.blockBytes;
  if (entry.relativeOffset !== BigInt(entry.expectedOffset)) {
    throw tensorError(path, name, "wrong data offset", String(entry.relativeOffset), String(entry.expectedOffset));
  }
  const offset = dataStart + entry.expectedOffset;
  if (offset + byteLength > fileSize) {
    throw new FormatError(path, {
      what: `${path} is truncated: the data of tensor ${printable(name)} lies beyond its end`,
      actual: `${fileSize} bytes`,
      expected: `at least ${offset + byteLength} bytes`,
      fix: "The file is probably an incomplete download or copy: fetch it again.",
    });
  }
  return { name, dims, type, offset, byteLength };
}

function readAlignment(metadata: GgufMetadata, path: string): number {
  const entry = metadata.get("general.alignment");
  if (!entry) return DEFAULT_ALIGNMENT;
  const alignment = metadataNumber(metadata, "general.alignment") ?? 0;
  // llama.cpp pads in 32 bits; 1 GiB is far above anything written so far and keeps sums exact.
  if (entry.type === "uint32" && alignment > 0 && alignment <= 1 << 30 && (alignment & (alignment - 1)) === 0)
    return alignment;
  throw new FormatError(path, {
    what: `${path}: general.alignment is not usable`,
    actual: entry.type === "array" ? "an array" : printable(`${entry.type} ${String(entry.value)}`),
    expected: "a power of two stored as uint32",
  });
}

/** Smallest multiple of `alignment` that is at least `value`; both in bytes. */
export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function versionError(path: string, version: number): FormatError {
  const swapped = (version & 0xffff) === 0 && version !== 0;
  return new FormatError(path, {
    what: swapped ? `${path} is a big-endian GGUF file` : `${path} has a GGUF version that cannot be read`,
    actual: `version ${version}`,
    expected: "version 2 or 3, little endian",
    fix: "Convert the model again with a current llama.cpp.",
  });
}

function cutError(path: string, fileSize: number): FormatError {
  return new FormatError(path, {
    what: `${path} is truncated: it ends inside its header`,
    actual: `${fileSize} bytes`,
    fix: "The file is probably an incomplete download or copy: fetch it again.",
  });
}

function headerSizeError(path: string): FormatError {
  return new FormatError(path, {
    what: `${path}: the header is too large`,
    expected: `at most ${MAX_HEADER_BYTES} bytes`,
    fix: "The file is damaged: fetch it again.",
  });
}

function duplicateError(path: string, what: string, name: string): FormatError {
  return new FormatError(path, {
    what: name === "" ? `${path}: an empty ${what}` : `${path}: the ${what} ${printable(name)} occurs twice`,
    fix: "The file is damaged or was written by a faulty tool: fetch or convert it again.",
  });
}

function tensorError(path: string, name: string, what: string, actual: string, expected: string): FormatError {
  return new FormatError(path, {
    what: `${path}: tensor ${printable(name)}: ${what}`,
    actual,
    expected,
    fix: "The file is damaged or was written by a faulty tool: fetch or convert it again.",
  });
}
