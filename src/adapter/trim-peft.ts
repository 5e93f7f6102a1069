import { withFileSources, type FileSource } from "../files/file-source.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { UsageError } from "../errors.js";
import type { PeftAdapter, PeftModule } from "./load-peft-adapter.js";
import { defined } from "../assert.js";
import { architectureNames } from "./architectures.js";
import { LAYERS_KEY } from "./layer-count.js";
import type { Mask } from "./mask.js";
import { floats, ggufName } from "./peft-to-gguf.js";
import { peftTensorName, shortName } from "./peft-names.js";
import { peftTargets } from "./peft-targets.js";
import type { TrimReport } from "./trim.js";
import { writePeftFolder } from "./write-peft.js";

/**
 * Writes a PEFT folder with these modules only. Lossless: kept tensors keep their bytes, type and order, but for a B that is scaled by
 * other than 1; copies of base weights that PEFT wrote with them go. Tensors get the names that PEFT itself writes, without which it loads
 * nothing, and adapter_config.json says exactly what is left.
 * @param layerCount L of the base, or undefined where it is not known.
 * @throws UsageError when nothing is kept; FileError when the folder exists and `overwrite` is false.
 */
export async function trimPeftAdapter(
  adapter: PeftAdapter,
  kept: readonly PeftModule[],
  layerCount: number | undefined,
  folder: string,
  { overwrite, scales }: { overwrite: boolean; scales?: ReadonlyMap<PeftModule, number> },
): Promise<TrimReport> {
  if (kept.length === 0) {
    throw new UsageError({
      what: "nothing of the adapter is kept, so there is no adapter to write",
      fix: "Use the base model without an adapter, or keep more layers.",
    });
  }
  const tensors = kept.flatMap(({ a, b }) => [a, b]).sort(byPlace);
  const names = new Map(kept.flatMap(namesInPeft));
  const factors = new Map(kept.map((module) => [module.b, scales?.get(module) ?? 1]));
  const config = { ...adapter.config, ...peftTargets(kept, layerCount, othersThan(kept, adapter)) };
  await withFileSources(
    tensors.map(({ path }) => path),
    async (sourceOf) => {
      const copied = tensors.map((tensor) => {
        const { dtype, shape, byteLength, path, offset } = tensor;
        const name = defined(names.get(tensor), "a name for each kept tensor");
        const factor = factors.get(tensor) ?? 1;
        if (factor !== 1) return { ...scaledPeftTensor(sourceOf(path), tensor, factor), name };
        return { name, dtype, shape, byteLength, data: () => sourceOf(path).stream(offset, byteLength) };
      });
      const layers = layerCount === undefined ? [] : [[LAYERS_KEY, String(layerCount)] as const];
      await writePeftFolder(folder, config, copied, { metadata: new Map([...adapter.metadata, ...layers]), overwrite });
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

/** The modules that the adapter had apart from the kept ones, of other parts of the model too. */
function othersThan(kept: readonly PeftModule[], { modules, ignored }: PeftAdapter): Parameters<typeof peftTargets>[0] {
  const isKept = new Set(kept);
  return [
    ...modules.filter((module) => !isKept.has(module)),
    ...ignored.map((modulePath) => ({ modulePath, layer: undefined, module: shortName(modulePath) })),
  ];
}

/** The names of a module's tensors under which PEFT loads them. */
function namesInPeft({ modulePath, a, b }: PeftModule): (readonly [SafetensorsTensor, string])[] {
  const isEmbedding = /\.lora_embedding_[AB]\b/.test(a.name);
  return [
    [a, peftTensorName(modulePath, "A", isEmbedding)],
    [b, peftTensorName(modulePath, "B", isEmbedding)],
  ];
}

/** The modules of a PEFT adapter that a mask of its GGUF form keeps, each with its scale. */
export function peftScales(adapter: PeftAdapter, architecture: string, mask: Mask): Map<PeftModule, number> {
  const names = architectureNames(architecture);
  return new Map(
    adapter.modules.flatMap((module) => {
      const scale = names && mask.get(ggufName(module, names) ?? "");
      return scale === undefined ? [] : [[module, scale] as const];
    }),
  );
}

/** A tensor times a factor, as F32. */
function scaledPeftTensor(source: FileSource, tensor: SafetensorsTensor, factor: number) {
  const { shape, byteLength, offset } = tensor;
  return {
    dtype: "F32" as const,
    shape,
    byteLength: shape.reduce((product, length) => product * length, 1) * Float32Array.BYTES_PER_ELEMENT,
    data: async function* () {
      const values = floats(tensor, await source.read(offset, byteLength)).map((value) => value * factor);
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    },
  };
}

function byPlace(a: SafetensorsTensor, b: SafetensorsTensor): number {
  return a.path === b.path ? a.offset - b.offset : a.path < b.path ? -1 : 1;
}
