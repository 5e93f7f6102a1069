import { AdapterError } from "../errors.js";
import { canDequantize, dequantize } from "../formats/dequantize.js";
import type { FileSource } from "../formats/file-source.js";
import type { GgufTensor } from "../formats/gguf-reader.js";
import { ggmlType } from "../formats/ggml-types.js";
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
      expected: "F32, F16, BF16, Q4_0 to Q8_0, Q4_K to Q6_K or IQ4_NL",
    });
  }
  const type = ggmlType(0);
  if (!type) throw new RangeError("ggml has no type F32");
  const elements = tensor.dims.reduce((product, length) => product * length, 1);
  return {
    ...tensor,
    type,
    byteLength: elements * type.blockBytes,
    data: async function* () {
      const values = dequantize(tensor.type, await source.read(tensor.offset, tensor.byteLength));
      const scaled = values.map((value) => value * factor);
      yield new Uint8Array(scaled.buffer, scaled.byteOffset, scaled.byteLength);
    },
  };
}
