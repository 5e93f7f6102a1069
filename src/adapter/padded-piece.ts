import { at } from "../assert.js";
import { withFileSource, type FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import { rankDimension } from "./update-shape.js";

/** Types whose elements stand by themselves: a zero can be put between two of them. */
const ELEMENT_TYPES: readonly string[] = ["F32", "F16", "BF16"];

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
  return modules.every(({ a, b }) => [a, b].every(({ type }) => ELEMENT_TYPES.includes(type.name)));
}

/**
 * Writes modules with the zeros of {@link paddingOf} behind the last rank of A and of B: the same update, number for number.
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
  if (!canBePadded(modules, adapter.alpha) || padding === undefined) {
    throw new RangeError("these modules cannot be padded");
  }
  const withAlpha: GgufMetadata = new Map([
    ...metadata,
    ["adapter.lora.alpha", { type: "float32", value: padding.alpha }],
  ]);
  await withFileSource(adapter.path, async (source) => {
    const tensors = modules.flatMap(({ a, b, place }) => {
      const dimension = rankDimension(place);
      return [lengthened(source, a, dimension.a, padding.rank), lengthened(source, b, dimension.b, padding.rank)];
    });
    await writeGguf(path, withAlpha, tensors, { overwrite: true });
  });
}

/** A tensor with zeros behind what it has in one of its dimensions, so that this is `length` long. */
function lengthened(source: FileSource, tensor: GgufTensor, dimension: number, length: number): GgufTensorToWrite {
  const { dims, type, offset, byteLength } = tensor;
  // A run is all that lies under one index of the dimensions above: it stands together in the file, and the zeros go behind it.
  const step = dims.slice(0, dimension).reduce((product, size) => product * size, type.blockBytes);
  const run = step * at(dims, dimension);
  const longer = step * length;
  const runs = byteLength / run;
  return {
    ...tensor,
    dims: dims.map((size, i) => (i === dimension ? length : size)),
    byteLength: runs * longer,
    data: async function* () {
      const bytes = await source.read(offset, byteLength);
      const wide = Buffer.alloc(runs * longer);
      for (let i = 0; i < runs; i++) bytes.copy(wide, i * longer, i * run, (i + 1) * run);
      yield wide;
    },
  };
}
