import { parsedJson } from "../parsed-json.js";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BoundaryError, UsageError } from "../errors.js";
import { withFileSource } from "../files/file-source.js";
import { metadataNumber } from "../formats/gguf-value.js";
import type { EitherAdapter } from "./either-form.js";
import type { PeftConfig } from "./peft-config.js";
import { selectModules, type KeepRules, type Selectable } from "./select-modules.js";

/** Metadata key under which trimmed and converted adapters record L of their base, in GGUF and in safetensors. */
export const LAYERS_KEY = "boundary.layers";

/** A configuration of transformers takes a few kilobytes. */
const MAX_CONFIG_BYTES = 1 << 20;
/** No model has more layers; a bound keeps the search over possible counts short. */
const MAX_LAYERS = 4096;

/** L of the base model, and where it is known from when the user should see that. */
export interface KnownLayerCount {
  readonly layerCount: number;
  readonly note?: string;
}

/**
 * L of the base as far as the adapter itself leads to it: recorded in its metadata, in the base's config.json where PEFT's
 * `base_model_name_or_path` is a folder on this machine, or implied by a configuration that adapts the same modules of every layer.
 */
export async function knownLayerCount(either: EitherAdapter): Promise<KnownLayerCount | undefined> {
  const { coverage } = either.adapter;
  const least = (coverage.at(-1) ?? -1) + 1;
  const recorded = either.form === "gguf" ? ggufRecord(either.adapter) : await peftRecord(either.adapter);
  if (recorded !== undefined && Number.isInteger(recorded) && recorded >= Math.max(1, least) && recorded <= MAX_LAYERS)
    return { layerCount: recorded };
  if (either.form === "peft" && either.adapter.kind === "MLX" && least > 0) {
    const note = `mlx-lm adapts the last layers and the highest in the file is ${least - 1}, so the base model is taken to have ${least} layers`;
    return { layerCount: least, note };
  }
  if (either.form === "peft" && coverage.length === least && least > 0 && adaptsEveryLayer(either.adapter.config)) {
    const note = `adapter_config.json adapts every layer and the highest in the file is ${least - 1}, so the base model is taken to have ${least} layers`;
    return { layerCount: least, note };
  }
  return undefined;
}

function ggufRecord({
  metadata,
  architecture,
}: Extract<EitherAdapter, { form: "gguf" }>["adapter"]): number | undefined {
  return metadataNumber(metadata, LAYERS_KEY) ?? metadataNumber(metadata, `${architecture}.block_count`);
}

async function peftRecord({
  metadata,
  config,
}: Extract<EitherAdapter, { form: "peft" }>["adapter"]): Promise<number | undefined> {
  const stored = metadata.get(LAYERS_KEY);
  return stored === undefined ? layersOfBaseFolder(config.base_model_name_or_path ?? "") : Number(stored);
}

/** `num_hidden_layers` of a base model's folder, of its text part in a multimodal model. Undefined where there is no such folder. */
async function layersOfBaseFolder(folder: string): Promise<number | undefined> {
  const path = join(folder, "config.json");
  if (
    folder === "" ||
    !(await stat(path).then(
      (found) => found.isFile(),
      () => false,
    ))
  )
    return undefined;
  const text = await withFileSource(path, async (source) =>
    source.size > MAX_CONFIG_BYTES ? "" : (await source.read(0, source.size)).toString("utf8"),
  ).catch((error: unknown) => {
    if (error instanceof BoundaryError) return "";
    throw error;
  });
  return layersOfConfig(parsedJson(text));
}

function layersOfConfig(config: unknown): number | undefined {
  const text = field(config, "text_config") ?? field(config, "llm_config") ?? field(config, "language_config");
  const thinker = field(config, "thinker_config");
  if (thinker !== undefined) return layersOfConfig(thinker);
  const count = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"]
    .map((name) => field(text ?? config, name))
    .find((value) => value !== undefined);
  return typeof count === "number" ? count : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** Whether PEFT, with this configuration, put adapters into all layers: modules by their last names, and no list of layers. */
function adaptsEveryLayer({
  target_modules: target,
  layers_to_transform: layers,
  exclude_modules: excluded,
}: PeftConfig): boolean {
  if (typeof layers === "number" || (layers ?? []).length > 0 || (excluded ?? "").length > 0) return false;
  if (typeof target === "string") return target === "all-linear";
  return Array.isArray(target) && target.every((name) => !/\d+\./.test(name));
}

/**
 * The modules that the rules keep, where L may be unknown: then only if every possible L gives the same answer.
 * @param layerCount L, or undefined where nothing says it.
 * @throws UsageError as {@link selectModules}, and when the answer depends on an L that is not known.
 */
export function selectKnown<T extends Selectable>(
  modules: readonly T[],
  layerCount: number | undefined,
  rules: KeepRules,
): T[] {
  if (layerCount === undefined && dependsOnLayerCount(modules, rules)) {
    throw new UsageError({
      what: "what is kept depends on how many layers the base model has, and nothing in the adapter says that",
      fix: "Give the base model with --model, or its number of layers with --layer-count.",
    });
  }
  return selectModules(modules, layerCount ?? leastLayerCount(modules), rules);
}

/** Whether the rules keep other modules, or cannot be followed, under some number of layers that the adapter's own layers allow. */
export function dependsOnLayerCount(modules: readonly Selectable[], rules: KeepRules): boolean {
  const least = leastLayerCount(modules);
  const numbers = `${rules.keep ?? ""},${rules.layers ?? ""},${rules.drop ?? ""}`.match(/\d+/g) ?? [];
  const reach = Math.min(MAX_LAYERS, Math.max(0, ...numbers.map(Number)));
  const first = attempt(modules, least, rules);
  const others = Array.from({ length: reach + 1 }, (_, i) => least + 1 + i);
  return others.some((count) => !sameModules(first, attempt(modules, count, rules)));
}

function leastLayerCount(modules: readonly Selectable[]): number {
  return modules.reduce((most, { layer }) => Math.max(most, layer ?? 0), 0) + 1;
}

function attempt<T extends Selectable>(modules: readonly T[], layerCount: number, rules: KeepRules): T[] | UsageError {
  try {
    return selectModules(modules, layerCount, rules);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
}

function sameModules<T>(a: readonly T[] | UsageError, b: readonly T[] | UsageError): boolean {
  if (a instanceof UsageError || b instanceof UsageError) return a instanceof UsageError && b instanceof UsageError;
  return a.length === b.length && a.every((module, i) => module === b[i]);
}
