import type { FileSource } from "../files/file-source.js";
import { withFileSource } from "../files/file-source.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import type { Mask } from "./mask.js";
import { scaledTensor } from "./scaled-module.js";

/**
 * Writes some modules of an adapter into a GGUF file of their own. Every kept tensor's bytes, type and order are those of the source.
 * @param options.scales a mask whose scales other than 1 are multiplied into the modules' B: {@link scaledTensor}.
 * @throws FileError when the target exists and `overwrite` is false, or when reading or writing fails.
 */
export async function writeModules(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
  metadata: GgufMetadata,
  options: { overwrite: boolean; late?: Promise<GgufMetadata>; scales?: Mask },
): Promise<void> {
  await withFileSource(adapter.path, async (source) => {
    const tensors = modules
      .flatMap(({ name, a, b }) => [
        { tensor: a, scale: 1 },
        { tensor: b, scale: options.scales?.get(name) ?? 1 },
      ])
      .sort((a, b) => a.tensor.offset - b.tensor.offset)
      .map(({ tensor, scale }): GgufTensorToWrite => {
        if (scale !== 1) return scaledTensor(source, adapter.path, tensor, scale);
        return { ...tensor, data: () => stream(source, tensor) };
      });
    await writeGguf(path, metadata, tensors, options);
  });
}

function stream(source: FileSource, tensor: { offset: number; byteLength: number }): AsyncIterable<Uint8Array> {
  return source.stream(tensor.offset, tensor.byteLength);
}
