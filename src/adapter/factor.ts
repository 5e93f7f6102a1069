import { AdapterError } from "../errors.js";
import { streamFile, withFileSource } from "../files/file-source.js";
import { decodeBF16, decodeF16 } from "../formats/half-floats.js";
import type { SafetensorsDtype } from "../formats/safetensors-dtype.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { SafetensorsTensorToWrite } from "../formats/safetensors-writer.js";
import { transposed } from "./transpose.js";

/**
 * A or B of an update: stored in a file, or computed from what is stored there. `shape` in PyTorch's order. `data` yields the numbers
 * row by row; each chunk may lie in the memory of the one before.
 */
export interface Factor extends SafetensorsTensorToWrite {
  /** The file that it comes from, and where in it: for messages and for the order. */
  readonly path: string;
  readonly offset: number;
}

/** A factor whose bytes are a tensor's. */
export function storedFactor(tensor: SafetensorsTensor): Factor {
  const { path, offset, byteLength } = tensor;
  return { ...tensor, data: () => streamFile(path, offset, byteLength) };
}

/** The same numbers in another place: a transpose, or other rows. @param rearrange the whole of the bytes; `size` is an element's. */
export function rearrangedFactor(
  factor: Factor,
  shape: readonly number[],
  rearrange: (bytes: Uint8Array, size: number) => Uint8Array,
): Factor {
  const size = elementBytes(factor.dtype);
  return {
    ...factor,
    shape,
    byteLength: count(shape) * size,
    data: async function* () {
      yield rearrange(await factorBytes(factor), size);
    },
  };
}

/** The transpose of a matrix. */
export function transposedFactor(factor: Factor): Factor {
  const [rows = 0, columns = 0] = factor.shape;
  return rearrangedFactor(factor, [columns, rows], (bytes, size) => transposed(bytes, rows, columns, size));
}

/** Numbers that are computed when they are asked for, in F32. @param like the tensor that they come from first. */
export function computedFactor(
  like: Pick<Factor, "name" | "path" | "offset">,
  shape: readonly number[],
  compute: () => Promise<Float32Array> | Float32Array,
): Factor {
  return {
    name: like.name,
    path: like.path,
    offset: like.offset,
    dtype: "F32",
    shape,
    byteLength: count(shape) * Float32Array.BYTES_PER_ELEMENT,
    data: async function* () {
      const values = await compute();
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    },
  };
}

/** All bytes of a factor. */
export async function factorBytes({ byteLength, data }: Factor): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  let done = 0;
  for await (const chunk of data()) {
    bytes.set(chunk, done);
    done += chunk.byteLength;
  }
  return bytes;
}

/** All numbers of a factor. @throws AdapterError for another type than F32, F16 or BF16. */
export async function factorValues(factor: Factor): Promise<Float32Array> {
  return floats(factor, await factorBytes(factor));
}

/** All numbers of a stored tensor. @throws as {@link factorValues}. */
export async function tensorValues(tensor: SafetensorsTensor): Promise<Float32Array> {
  const { path, offset, byteLength } = tensor;
  return withFileSource(path, async (source) => floats(tensor, await source.read(offset, byteLength)));
}

/** Numbers of an F32, F16 or BF16 tensor. @throws AdapterError for another type. */
export function floats(
  { dtype, name, path }: Pick<Factor, "dtype" | "name" | "path">,
  bytes: Uint8Array,
): Float32Array {
  if (dtype === "F16") return decodeF16(bytes);
  if (dtype === "BF16") return decodeBF16(bytes);
  if (dtype === "F32") return new Float32Array(new Uint8Array(bytes).buffer);
  throw unusableType(path, name, dtype);
}

/** An adapter whose tensor is stored in a type that none of its readers computes with. */
export function unusableType(path: string, name: string, dtype: string): AdapterError {
  return new AdapterError(
    path,
    {
      what: `${path}: ${name} is stored as ${dtype}`,
      expected: "F32, F16 or BF16",
      fix: "Save the adapter in one of these types.",
    },
    name,
  );
}

/** A row-major matrix [rows, columns] of computed numbers. */
export function filledMatrix(rows: number, columns: number, at: (row: number, column: number) => number): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[row * columns + column] = at(row, column);
  return result;
}

function elementBytes(dtype: SafetensorsDtype): number {
  return dtype === "F16" || dtype === "BF16" ? 2 : 4;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
