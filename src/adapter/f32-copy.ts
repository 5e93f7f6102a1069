import { FormatError } from "../errors.js";
import { canDequantize, dequantize, READABLE_TYPES } from "../formats/dequantize.js";
import { withFileSources, type FileSource } from "../files/file-source.js";
import { F32, type GgmlType } from "../formats/ggml-types.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { BaseModel } from "./base-model.js";
import { baseTensors, metadataInOneFile, type BaseTensor } from "./base-tensors.js";

/** Bytes of a tensor that are decoded at a time, rounded down to whole blocks. */
const CHUNK_BYTES = 1 << 20;
/** Types that hold no weights. */
const WHOLE_NUMBERS: readonly string[] = ["I8", "I16", "I32", "I64"];

/** Bytes that {@link writeF32Copy} writes, without the header. @throws as {@link writeF32Copy}. */
export async function f32CopyBytes(model: BaseModel): Promise<number> {
  return (await tensorsOf(model)).reduce((sum, tensor) => sum + f32Bytes(tensor), 0);
}

/** Whether all weights of the layers are F32 as they are. @throws FileError, FormatError when a file cannot be read. */
export async function hasF32Layers(model: BaseModel): Promise<boolean> {
  return (await tensorsOf(model)).every(({ name, type }) => !name.startsWith("blk.") || type.name === "F32");
}

/**
 * Writes a base model with all its weights as F32, number for number what llama.cpp takes them for. It computes with what such weights are
 * multiplied with as it is: for F16 weights that is rounded to F16, for quantised ones to 8 bits.
 * @throws FormatError for a type that cannot be read as numbers; FileError when reading or writing fails.
 */
export async function writeF32Copy(model: BaseModel, path: string): Promise<void> {
  const tensors = await tensorsOf(model);
  const metadata = await metadataInOneFile(model);
  await withFileSources([...model.files], async (sourceOf) => {
    const written = tensors.map((tensor): GgufTensorToWrite => {
      const byteLength = f32Bytes(tensor);
      const type = keeps(tensor.type) ? tensor.type : F32;
      return { ...tensor, type, byteLength, data: () => values(tensor, sourceOf(tensor.file)) };
    });
    await writeGguf(path, metadata, written);
  });
}

async function tensorsOf(model: BaseModel): Promise<BaseTensor[]> {
  const all = await baseTensors(model);
  const unreadable = all.find(({ type }) => !keeps(type) && !canDequantize(type));
  if (!unreadable) return all;
  throw new FormatError(unreadable.file, {
    what: `${unreadable.name} cannot be read as numbers`,
    actual: `type ${unreadable.type.name}`,
    expected: READABLE_TYPES,
    fix: "Give the same base model as F16 or Q8_0.",
  });
}

function keeps(type: GgmlType): boolean {
  return type.name === "F32" || WHOLE_NUMBERS.includes(type.name);
}

function f32Bytes({ type, byteLength }: GgufTensor): number {
  return keeps(type) ? byteLength : (byteLength / type.blockBytes) * type.blockSize * Float32Array.BYTES_PER_ELEMENT;
}

async function* values({ type, offset, byteLength }: GgufTensor, source: FileSource): AsyncGenerator<Uint8Array> {
  const step = CHUNK_BYTES - (CHUNK_BYTES % type.blockBytes);
  for (let at = 0; at < byteLength; at += step) {
    const bytes = await source.read(offset + at, Math.min(step, byteLength - at));
    if (keeps(type)) {
      yield bytes;
      continue;
    }
    const floats = dequantize(type, bytes);
    yield new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  }
}
