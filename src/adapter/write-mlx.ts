import { UsageError } from "../errors.js";
import { expertsToStack } from "./expert-factors.js";
import { computedFactor, factorValues, transposedFactor, type Factor } from "./factor.js";
import { LAYERS_KEY } from "./layer-count.js";
import type { PeftAdapter, PeftModule } from "./peft-adapter.js";
import { trimReport } from "./trim-peft.js";
import { assertAnyKept, type TrimReport } from "./trim.js";
import { writeAdapterFolder } from "./write-peft.js";

/**
 * Writes an adapter in mlx-lm's layout, as {@link mlxModules} reads it: `lora_a` and `lora_b` are transposes, rank and scale those of most
 * modules. mlx-lm has one scale for all: where a module's differs, the difference goes into its `lora_b`. A module of which it has
 * others in the same layers only stays as it was made, with an update of zero.
 * @param layerCount L of the base: mlx-lm counts the adapted layers from the last one.
 * @throws UsageError for experts that PEFT has as one parameter; FileError when the folder exists and `overwrite` is false.
 */
export async function writeMlxAdapter(
  adapter: Pick<PeftAdapter, "folder" | "modules" | "config">,
  kept: readonly PeftModule[],
  layerCount: number,
  folder: string,
  { overwrite }: { overwrite: boolean },
): Promise<TrimReport> {
  assertAnyKept(kept);
  const fused = kept.find(({ parameter, isWide }) => parameter !== undefined || isWide === true);
  if (fused) {
    throw new UsageError({
      what: `${adapter.folder}: ${fused.modulePath} has no counterpart in mlx-lm's layout`,
      fix: "Convert the adapter to GGUF; mlx-lm has experts one matrix at a time.",
    });
  }
  const rank = commonest(kept.map((module) => module.rank));
  const scale = commonest(kept.map((module) => module.scale));
  const lowest = Math.min(...kept.map(({ layer }) => layer ?? layerCount - 1));
  const keys = [...new Set(kept.map(keyOf))].sort();
  const config = {
    fine_tune_type: "lora",
    lora_parameters: { dropout: 0, keys, rank, scale },
    model: adapter.config.base_model_name_or_path ?? "",
    num_layers: layerCount - lowest,
  };
  const tensors = kept
    .flatMap((module) => mlxTensors(module, scale))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  await writeAdapterFolder(folder, { "adapter_config.json": config }, "adapters.safetensors", tensors, {
    metadata: new Map([
      ["format", "mlx"],
      [LAYERS_KEY, String(layerCount)],
    ]),
    overwrite,
  });
  return trimReport(adapter, kept);
}

function mlxTensors({ modulePath, a, b, rank, experts, scale }: PeftModule, common: number): Factor[] {
  const factor = scale / common;
  const scaled =
    factor === 1 ? b : computedFactor(b, b.shape, async () => (await factorValues(b)).map((value) => value * factor));
  const name = (half: string): string => `${modulePath}.lora_${half}`;
  if (experts === undefined)
    return [
      { ...transposedFactor(a), name: name("a") },
      { ...transposedFactor(scaled), name: name("b") },
    ];
  const stacked = { ...a, shape: [experts, rank, a.shape[1] ?? 0] };
  return [
    { ...stacked, name: name("a") },
    { ...expertsToStack(scaled, experts), name: name("b") },
  ];
}

/** mlx-lm finds modules by their path in a block, and those outside the blocks by their whole path. */
function keyOf({ modulePath, layer }: PeftModule): string {
  return layer === undefined ? modulePath : (modulePath.split(`.${layer}.`).at(-1) ?? modulePath);
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 1;
}
