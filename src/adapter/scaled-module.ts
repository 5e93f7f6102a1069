import { AdapterError } from "../errors.js";
import { canDequantize, dequantize, READABLE_TYPES } from "../formats/dequantize.js";
import type { FileSource } from "../files/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { F32 } from "../formats/ggml-types.js";
import type { GgufTensorToWrite } from "../formats/gguf-writer.js";

/**
 * A module's B times a factor, as F32: the factor of a mask that shrinks instead of drops. It goes into the numbers rather than into the scale
 * at which llama.cpp applies a file, so that the exported file computes what was measured, to the last bit.
 * @throws AdapterError for a type that cannot be read as numbers.
 */
export function scaledTensor(source: FileSource, path: string, tensor: GgufTensor, factor: number): GgufTensorToWrite {
  if (!canDequantize(tensor.type)) {
    throw new AdapterError(path, {
      what: `${tensor.name} cannot be scaled`,
      actual: `a tensor of type ${tensor.type.name}`,
      expected: READABLE_TYPES,
    });
  }
  const elements = tensor.dims.reduce((product, length) => product * length, 1);
  return {
    ...tensor,
    type: F32,
    byteLength: elements * F32.blockBytes,
    data: async function* () {
      const values = dequantize(tensor.type, await source.read(tensor.offset, tensor.byteLength));
      const scaled = values.map((value) => value * factor);
      yield new Uint8Array(scaled.buffer, scaled.byteOffset, scaled.byteLength);
    },
  };
}
