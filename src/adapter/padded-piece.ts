import { withFileSource, type FileSource } from "../formats/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";

/** Types whose elements stand by themselves, with their bytes: a zero can be put between two of them. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 };

/** A rank with zeros, and the alpha that keeps the scale. */
export interface Padding {
  readonly rank: number;
  readonly alpha: number;
}

/** Most ranks of zeros that are tried. */
const MOST_ZEROS = 11;

/**
 * How an update of this rank is padded so that llama.cpp multiplies its matrices row by row. For ranks that are multiples of four its CPU
 * kernel for several rows (ggml-cpu/llamafile/sgemm.cpp) adds up in another order than the one for a single row, so that an answer would
 * depend on what is decoded beside it. A rank of zeros adds nothing, and what is then no multiple of four is left to the kernel for
 * single rows. Alpha is chosen so that llama.cpp's float arithmetic gives alpha / rank as before, at a mask's scale of 1.
 * @returns undefined where no padding keeps the scale to the last bit.
 */
export function paddingOf(alpha: number, rank: number): Padding | undefined {
  if (rank % 4 !== 0) return { rank, alpha };
  const wanted = Math.fround(Math.fround(alpha) / rank);
  for (let padded = rank + 1; padded <= rank + MOST_ZEROS; padded++) {
    if (padded % 4 === 0) continue;
    const near = Math.fround(wanted * padded);
    const step = Math.abs(near) * 2 ** -23;
    const tries = [0, 1, -1].map((steps) => Math.fround(near + steps * step));
    const found = tries.find((candidate) => Math.fround(candidate / padded) === wanted);
    if (found !== undefined) return { rank: padded, alpha: found };
  }
  return undefined;
}

/** Whether {@link writePadded} can write these modules: all of one rank, of types whose elements stand by themselves. */
export function canBePadded(modules: readonly AdapterModule[], alpha: number): boolean {
  const ranks = new Set(modules.map(({ rank }) => rank));
  const [rank] = ranks;
  if (rank === undefined || ranks.size > 1 || paddingOf(alpha, rank) === undefined) return false;
  return modules.every(({ a, b }) => a.type.name in ELEMENT_BYTES && b.type.name in ELEMENT_BYTES);
}

/**
 * Writes modules with the zeros of {@link paddingOf} behind A's rows and B's columns: the same update, number for number.
 * @throws RangeError when {@link canBePadded} says no; FileError when reading or writing fails.
 */
export async function writePadded(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
  metadata: GgufMetadata,
): Promise<void> {
  const rank = modules[0]?.rank;
  const padding = rank === undefined ? undefined : paddingOf(adapter.alpha, rank);
  if (!canBePadded(modules, adapter.alpha) || rank === undefined || padding === undefined) {
    throw new RangeError("these modules cannot be padded");
  }
  const withAlpha: GgufMetadata = new Map([
    ...metadata,
    ["adapter.lora.alpha", { type: "float32", value: padding.alpha }],
  ]);
  await withFileSource(adapter.path, async (source) => {
    const tensors = modules.flatMap(({ a, b }) => [
      paddedRows(source, a, rank, padding.rank),
      paddedColumns(source, b, rank, padding.rank),
    ]);
    await writeGguf(path, withAlpha, tensors, { overwrite: true });
  });
}

/** A: dims [in, rank], with rows of zeros. */
function paddedRows(source: FileSource, a: GgufTensor, rank: number, padded: number): GgufTensorToWrite {
  const rowBytes = a.byteLength / rank;
  const more = padded - rank;
  return {
    ...a,
    dims: [a.dims[0] ?? 0, rank + more],
    byteLength: a.byteLength + more * rowBytes,
    data: async function* () {
      yield* source.stream(a.offset, a.byteLength);
      if (more > 0) yield Buffer.alloc(more * rowBytes);
    },
  };
}

/** B: dims [rank, out], with zeros behind each row. */
function paddedColumns(source: FileSource, b: GgufTensor, rank: number, padded: number): GgufTensorToWrite {
  const rowBytes = b.byteLength / (b.dims[1] ?? 1);
  const widerBytes = (rowBytes / rank) * padded;
  const rows = b.dims[1] ?? 0;
  return {
    ...b,
    dims: [padded, rows],
    byteLength: rows * widerBytes,
    data: async function* () {
      const narrow = await source.read(b.offset, b.byteLength);
      const wide = Buffer.alloc(rows * widerBytes);
      for (let row = 0; row < rows; row++) narrow.copy(wide, row * widerBytes, row * rowBytes, (row + 1) * rowBytes);
      yield wide;
    },
  };
}
