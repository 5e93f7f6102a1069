import { withFileSource, type FileSource } from "../formats/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";

/** Types whose elements stand by themselves, with their bytes: a zero can be put between two of them. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 };

/**
 * The rank at which llama.cpp multiplies an adapter's matrices row by row. For ranks that are multiples of four its CPU kernel for
 * several rows (ggml-cpu/llamafile/sgemm.cpp) adds up in another order than the one for a single row, so that an answer would depend on
 * what is decoded beside it. One more rank, of zeros, adds nothing and is left to the kernel for single rows.
 */
export function paddedRank(rank: number): number {
  return rank % 4 === 0 ? rank + 1 : rank;
}

/**
 * The alpha with which llama.cpp's float arithmetic scales an update of `rank` padded to {@link paddedRank} exactly as before, at a mask's
 * scale of 1; undefined where there is none.
 */
export function paddedAlpha(alpha: number, rank: number): number | undefined {
  const padded = paddedRank(rank);
  const wanted = Math.fround(Math.fround(alpha) / rank);
  const near = Math.fround(wanted * padded);
  const step = Math.abs(near) * 2 ** -23;
  const tries = [0, 1, -1, 2, -2].map((steps) => Math.fround(near + steps * step));
  return tries.find((candidate) => Math.fround(candidate / padded) === wanted);
}

/** Whether {@link writePadded} can write these modules: all of one rank, of types whose elements stand by themselves. */
export function canBePadded(modules: readonly AdapterModule[], alpha: number): boolean {
  const ranks = new Set(modules.map(({ rank }) => rank));
  const [rank] = ranks;
  if (rank === undefined || ranks.size > 1 || paddedAlpha(alpha, rank) === undefined) return false;
  return modules.every(({ a, b }) => a.type.name in ELEMENT_BYTES && b.type.name in ELEMENT_BYTES);
}

/**
 * Writes modules with the zeros of {@link paddedRank} behind A's rows and B's columns: the same update, number for number.
 * @throws RangeError when {@link canBePadded} says no; FileError when reading or writing fails.
 */
export async function writePadded(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
  metadata: GgufMetadata,
): Promise<void> {
  const rank = modules[0]?.rank;
  const alpha = rank === undefined ? undefined : paddedAlpha(adapter.alpha, rank);
  if (!canBePadded(modules, adapter.alpha) || rank === undefined || alpha === undefined) {
    throw new RangeError("these modules cannot be padded");
  }
  const withAlpha: GgufMetadata = new Map([...metadata, ["adapter.lora.alpha", { type: "float32", value: alpha }]]);
  await withFileSource(adapter.path, async (source) => {
    const tensors = modules.flatMap(({ a, b }) => [paddedRows(source, a, rank), paddedColumns(source, b, rank)]);
    await writeGguf(path, withAlpha, tensors, { overwrite: true });
  });
}

/** A: dims [in, rank], with one more row of zeros. */
function paddedRows(source: FileSource, a: GgufTensor, rank: number): GgufTensorToWrite {
  const rowBytes = a.byteLength / rank;
  const more = paddedRank(rank) - rank;
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

/** B: dims [rank, out], with one more zero behind each row. */
function paddedColumns(source: FileSource, b: GgufTensor, rank: number): GgufTensorToWrite {
  const rowBytes = b.byteLength / (b.dims[1] ?? 1);
  const widerBytes = (rowBytes / rank) * paddedRank(rank);
  const rows = b.dims[1] ?? 0;
  return {
    ...b,
    dims: [paddedRank(rank), rows],
    byteLength: rows * widerBytes,
    data: async function* () {
      const narrow = await source.read(b.offset, b.byteLength);
      const wide = Buffer.alloc(rows * widerBytes);
      for (let row = 0; row < rows; row++) narrow.copy(wide, row * widerBytes, row * rowBytes, (row + 1) * rowBytes);
      yield wide;
    },
  };
}
