import { UsageError } from "../errors.js";
import type { SafetensorsTensorToWrite } from "../formats/safetensors-writer.js";
import { architectureNames } from "./architectures.js";
import type { BaseModel } from "./base-model.js";
import { computedFactor, factorValues, type Factor } from "./factor.js";
import { kindName } from "./low-rank-kinds.js";
import { ggufNames } from "./gguf-updates.js";
import { LAYERS_KEY } from "./layer-count.js";
import type { PeftAdapter, PeftModule } from "./peft-adapter.js";
import type { Mask } from "./mask.js";
import { peftTensorName, shortName } from "./peft-names.js";
import { inModelOrder } from "./peft-scale.js";
import { peftTargets } from "./peft-targets.js";
import { assertAnyKept, type TrimReport } from "./trim.js";
import { writePeftFolder } from "./write-peft.js";

/**
 * Writes a PEFT folder with these modules only. Lossless: kept tensors keep their bytes, type and order, but for a B that is scaled by
 * other than 1; copies of base weights that PEFT wrote with them go. Tensors get the names that PEFT itself writes, without which it loads
 * nothing, and adapter_config.json says exactly what is left.
 * @param layerCount L of the base, or undefined where it is not known.
 * @throws UsageError when nothing is kept, or PEFT has no way to say what is; FileError when the folder exists and `overwrite` is false.
 */
export async function trimPeftAdapter(
  adapter: PeftAdapter,
  kept: readonly PeftModule[],
  layerCount: number | undefined,
  folder: string,
  { overwrite, scales }: { overwrite: boolean; scales?: ReadonlyMap<PeftModule, number> },
): Promise<TrimReport> {
  assertAnyKept(kept);
  assertExpressible(adapter, kept);
  const config = { ...adapter.config, ...peftTargets(kept, layerCount, othersThan(kept, adapter)) };
  const layers = layerCount === undefined ? [] : [[LAYERS_KEY, String(layerCount)] as const];
  const metadata = new Map([...adapter.metadata, ...layers]);
  await writePeftFolder(folder, config, peftTensors(kept, scales), { metadata, overwrite });
  return trimReport(adapter, kept);
}

/** How much of an adapter is kept. */
export function trimReport({ modules }: Pick<PeftAdapter, "modules">, kept: readonly PeftModule[]): TrimReport {
  const bytes = (given: readonly PeftModule[]): number =>
    given.reduce((sum, { a, b }) => sum + a.byteLength + b.byteLength, 0);
  return {
    keptModules: kept.length,
    droppedModules: modules.length - kept.length,
    keptBytes: bytes(kept),
    droppedBytes: bytes(modules) - bytes(kept),
  };
}

/** The tensors of modules as PEFT names them, in the order of their file. */
export function peftTensors(
  kept: readonly PeftModule[],
  scales?: ReadonlyMap<PeftModule, number>,
): SafetensorsTensorToWrite[] {
  const named = kept.flatMap((module) => {
    const isEmbedding = /lora_embedding_[AB]\b/.test(module.a.name) || module.place === "embedding";
    const { path, depth } = storedPath(module, kept);
    const b = scaledFactor(module.b, scales?.get(module) ?? 1);
    return [
      { factor: module.a, name: peftTensorName(path, "A", isEmbedding, depth) },
      { factor: b, name: peftTensorName(path, "B", isEmbedding, depth) },
    ];
  });
  return named
    .sort((one, other) => byPlace(one.factor, other.factor))
    .map(({ factor: { dtype, shape, byteLength, data }, name }) => ({ name, dtype, shape, byteLength, data }));
}

/** PEFT wraps a module once for each of its adapted parameters, the first of them innermost. */
function storedPath(module: PeftModule, kept: readonly PeftModule[]): { path: string; depth: number } {
  const { parameter } = module;
  if (parameter === undefined) return { path: module.modulePath, depth: 0 };
  const owner = ownerOf(parameter);
  const wrapped = kept.flatMap(({ parameter: other }) =>
    other !== undefined && ownerOf(other) === owner ? [other] : [],
  );
  return { path: owner, depth: wrapped.length - 1 - inModelOrder(wrapped).indexOf(parameter) };
}

function ownerOf(parameter: string): string {
  return parameter.slice(0, parameter.lastIndexOf("."));
}

/** The modules that the adapter had apart from the kept ones, of other parts of the model too. */
function othersThan(kept: readonly PeftModule[], { modules, ignored }: PeftAdapter): Parameters<typeof peftTargets>[0] {
  const isKept = new Set(kept);
  return [
    ...modules.filter((module) => !isKept.has(module)),
    ...ignored.map((modulePath) => ({ modulePath, layer: undefined, module: shortName(modulePath) })),
  ];
}

/** @throws UsageError for modules that only the base makes a LoRA of, and for experts that PEFT has as one parameter. */
function assertExpressible({ folder, kind }: PeftAdapter, kept: readonly PeftModule[]): void {
  if (!needsBase(kept)) return;
  throw new UsageError({
    what: `only the base model shows which LoRA the ${kindName(kind)} adapter ${folder} is`,
    fix: "Convert it to GGUF with `boundary convert` first, and trim or convert the GGUF file.",
  });
}

/** Whether PEFT's words for modules depend on the base: on its sizes, or on which of its experts' matrices are one parameter. */
export function needsBase(modules: readonly PeftModule[]): boolean {
  return modules.some(({ isWide, experts, parameter }) => {
    return isWide === true || (experts !== undefined && parameter === undefined);
  });
}

/**
 * The modules of a PEFT adapter that a mask of its GGUF form keeps, each with its scale. Undefined where the mask keeps a part of a
 * module, which PEFT cannot say.
 */
export function peftScales(adapter: PeftAdapter, base: BaseModel, mask: Mask): Map<PeftModule, number> | undefined {
  const names = architectureNames(base.architecture);
  const found = new Map<PeftModule, number>();
  for (const module of adapter.modules) {
    const tensors = names ? (ggufNames(module, names, base) ?? []) : [];
    const scales = new Set(tensors.map((name) => mask.get(name)));
    if (scales.size > 1) return undefined;
    const [scale] = scales;
    if (scale !== undefined) found.set(module, scale);
  }
  return found;
}

/** A factor times a number, as F32. */
function scaledFactor(factor: Factor, scale: number): Factor {
  if (scale === 1) return factor;
  return computedFactor(factor, factor.shape, async () => (await factorValues(factor)).map((value) => value * scale));
}

function byPlace(a: Factor, b: Factor): number {
  return a.path === b.path ? a.offset - b.offset : a.path < b.path ? -1 : 1;
}
