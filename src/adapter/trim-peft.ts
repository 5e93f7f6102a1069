import { withFileSources } from "../formats/file-source.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { UsageError } from "../errors.js";
import type { PeftAdapter, PeftModule } from "./load-peft-adapter.js";
import { peftTargets } from "./peft-targets.js";
import type { TrimReport } from "./trim.js";
import { writePeftFolder } from "./write-peft.js";

/**
 * Writes a PEFT folder with these modules only. Lossless: kept tensors keep their name, bytes, type and order; copies of base weights
 * that PEFT wrote beside them go. adapter_config.json says exactly what is left, so that PEFT loads it as it is.
 * @param layerCount L of the base, or one more than the highest layer that the adapter has.
 * @throws UsageError when nothing is kept; FileError when the folder exists and `overwrite` is false.
 */
export async function trimPeftAdapter(
  adapter: PeftAdapter,
  kept: readonly PeftModule[],
  layerCount: number,
  folder: string,
  { overwrite }: { overwrite: boolean },
): Promise<TrimReport> {
  if (kept.length === 0) {
    throw new UsageError({
      what: "nothing of the adapter is kept, so there is no adapter to write",
      fix: "Use the base model without an adapter, or keep more layers.",
    });
  }
  const tensors = kept.flatMap(({ a, b }) => [a, b]).sort(byPlace);
  const config = { ...adapter.config, ...peftTargets(kept, layerCount) };
  await withFileSources(
    tensors.map(({ path }) => path),
    async (sourceOf) => {
      const copied = tensors.map(({ name, dtype, shape, byteLength, path, offset }) => ({
        name,
        dtype,
        shape,
        byteLength,
        data: () => sourceOf(path).stream(offset, byteLength),
      }));
      await writePeftFolder(folder, config, copied, { metadata: adapter.metadata, overwrite });
    },
  );
  const bytes = (modules: readonly PeftModule[]): number =>
    modules.reduce((sum, { a, b }) => sum + a.byteLength + b.byteLength, 0);
  return {
    keptModules: kept.length,
    droppedModules: adapter.modules.length - kept.length,
    keptBytes: bytes(kept),
    droppedBytes: bytes(adapter.modules) - bytes(kept),
  };
}

function byPlace(a: SafetensorsTensor, b: SafetensorsTensor): number {
  return a.path === b.path ? a.offset - b.offset : a.path < b.path ? -1 : 1;
}
