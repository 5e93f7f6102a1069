import type { FileSource } from "../formats/file-source.js";
import { withFileSource } from "../formats/file-source.js";
import { writeGguf, type GgufTensorToWrite } from "../formats/gguf-writer.js";
import type { GgufMetadata } from "../formats/gguf-value.js";
import type { Adapter, AdapterModule } from "./adapter.js";

/**
 * Writes some modules of an adapter into a GGUF file of their own. Every kept tensor's bytes, type and order are those of the source.
 * @throws FileError when the target exists and `overwrite` is false, or when reading or writing fails.
 */
export async function writeModules(
  adapter: Adapter,
  modules: readonly AdapterModule[],
  path: string,
  metadata: GgufMetadata,
  options: { overwrite: boolean; late?: Promise<GgufMetadata> },
): Promise<void> {
  await withFileSource(adapter.path, async (source) => {
    const tensors = modules
      .flatMap((module) => [module.a, module.b])
      .sort((a, b) => a.offset - b.offset)
      .map((tensor): GgufTensorToWrite => ({ ...tensor, data: () => stream(source, tensor) }));
    await writeGguf(path, metadata, tensors, options);
  });
}

function stream(source: FileSource, tensor: { offset: number; byteLength: number }): AsyncIterable<Uint8Array> {
  return source.stream(tensor.offset, tensor.byteLength);
}
