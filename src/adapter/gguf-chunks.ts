import { dequantize } from "../formats/dequantize.js";
import { streamFile, withFileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";

/** The numbers of a GGUF tensor, chunk by chunk: plain ones as they are stored, those of a quantised type as F32. */
export async function* ggufChunks(path: string, { type, offset, byteLength }: GgufTensor): AsyncGenerator<Uint8Array> {
  if (type.blockSize === 1) {
    yield* streamFile(path, offset, byteLength);
    return;
  }
  const values = await withFileSource(path, async (source) => dequantize(type, await source.read(offset, byteLength)));
  yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
