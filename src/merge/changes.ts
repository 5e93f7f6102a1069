import { defined } from "../assert.js";
import type { Adapter, AdapterModule } from "../adapter/adapter.js";
import { architectureNames, type ArchitectureNames } from "../adapter/architectures.js";
import type { BaseModel } from "../adapter/base-model.js";
import { tensorValues } from "../adapter/factor.js";
import { ggufTargets, tensorName, type GgufTarget } from "../adapter/gguf-targets.js";
import { rowsInTensor } from "../adapter/gguf-updates.js";
import type { ExtraTensor, PeftAdapter } from "../adapter/peft-adapter.js";
import { modulePathOf } from "../adapter/peft-names.js";
import { placeOfPath } from "../adapter/peft-places.js";
import { selectRows } from "../adapter/row-order.js";
import { AdapterError } from "../errors.js";
import { normName, normOffset } from "./norm-names.js";

/** What a merge does to one tensor of the base. Values are in the order of the tensor's own rows. */
export interface Change {
  /** A LoRA update that is added. */
  readonly update?: AdapterModule;
  /** DoRA: the length that each row gets once the update is added. */
  readonly magnitude?: () => Promise<Float32Array>;
  /** The whole tensor anew. */
  readonly whole?: () => Promise<Float32Array>;
  /** Numbers that are added to a bias. */
  readonly added?: () => Promise<Float32Array>;
  /** Rows that are replaced, by their numbers, with their values one behind the other. */
  readonly rows?: { readonly numbers: readonly number[]; readonly values: () => Promise<Float32Array> };
  readonly layer: number | undefined;
}

/**
 * What merging an adapter changes, by the name of the tensor.
 * @param adapter in GGUF. @param peft what it was converted from, with trained weights that no adapter file carries.
 * @param keeps whether the layer of a change is kept; undefined stands for what lies outside the layers.
 * @throws AdapterError for a trained weight whose place in the base is not known.
 */
export function changesOf(
  adapter: Adapter | undefined,
  peft: PeftAdapter | undefined,
  base: BaseModel,
  keeps: (change: Pick<AdapterModule, "layer" | "place" | "module">) => boolean,
): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const module of adapter?.modules ?? []) {
    if (keeps(module)) changes.set(module.name, { update: module, layer: module.layer });
  }
  for (const extra of peft?.extras ?? []) {
    for (const { name, change, place, module } of extraChanges(extra, defined(peft, "an adapter"), base)) {
      if (!keeps({ layer: change.layer, place, module })) continue;
      changes.set(name, { ...changes.get(name), ...change });
    }
  }
  return changes;
}

interface NamedChange {
  readonly name: string;
  readonly change: Change;
  readonly place: AdapterModule["place"];
  readonly module: string;
}

function extraChanges(extra: ExtraTensor, peft: PeftAdapter, base: BaseModel): NamedChange[] {
  const names = architectureNames(base.architecture);
  const { tensor } = extra;
  const path = plainPath(extra.path);
  const [, owner = "", kind = ""] = /^(.*)\.([^.]+)$/.exec(path) ?? [];
  const place = placeOfPath(owner);
  const values = (): Promise<Float32Array> => tensorValues(tensor);
  if (names && extra.kind === "token-delta") return [tokenChange(owner, values, peft)];
  if (place.kind === "embedding" || place.kind === "output") {
    const name = place.kind === "embedding" ? "token_embd" : "output";
    if (extra.kind === "whole-weight" && kind === "weight") {
      assertVocabulary(extra, peft, base);
      return [{ name: `${name}.weight`, change: { whole: values, layer: undefined }, place: place.kind, module: name }];
    }
    throw unknownPlace(peft.folder, tensor.name, base);
  }
  if (place.kind !== "block") {
    const norm = normName(owner, undefined, base);
    if (norm === undefined || kind !== "weight") throw unknownPlace(peft.folder, tensor.name, base);
    const offset = normOffset(base.architecture, owner);
    const whole = async (): Promise<Float32Array> => (await values()).map((value) => value + offset);
    return [{ name: norm, change: { whole, layer: undefined }, place: "output", module: "output_norm" }];
  }
  const { layer, inBlock } = place;
  const targets = names ? ggufTargets(inBlock, layer, names, base) : undefined;
  const known = targets?.filter(({ module }) => base.shapes.has(tensorName(layer, module)));
  if (names && known && known.length > 0) {
    return known.map((target) => moduleChange(extra, kind, layer, target, values, names, base, peft));
  }
  const norm = normName(inBlock, layer, base);
  if (norm === undefined) throw unknownPlace(peft.folder, tensor.name, base);
  const isWeight = kind === "weight";
  const name = isWeight ? norm : norm.replace(/\.weight$/, ".bias");
  if (!base.shapes.has(name)) throw unknownPlace(peft.folder, tensor.name, base);
  const offset = isWeight ? normOffset(base.architecture, inBlock) : 0;
  const whole = async (): Promise<Float32Array> => (await values()).map((value) => value + offset);
  return [{ name, change: { whole, layer }, place: "block", module: inBlock }];
}

/** DoRA's magnitudes, a whole weight, a bias, or the bias of B, of a module that has an adapter's place. */
function moduleChange(
  { kind, tensor, path }: ExtraTensor,
  last: string,
  layer: number,
  target: GgufTarget,
  values: () => Promise<Float32Array>,
  names: ArchitectureNames,
  base: BaseModel,
  peft: PeftAdapter,
): NamedChange {
  const weight = tensorName(layer, target.module);
  const [outputs = 0] = tensor.shape;
  const rows = rowsInTensor(target, outputs, base.shapes.get(weight)?.[1], names, base);
  const inOrder = async (scale = 1): Promise<Float32Array> => {
    const all = await values();
    const width = all.length / outputs;
    const ordered = rows ? gathered(all, rows, width) : all;
    return scale === 1 ? ordered : ordered.map((value) => value * scale);
  };
  const named = (name: string, change: Omit<Change, "layer">): NamedChange => {
    if (!base.shapes.has(name)) throw unknownPlace(peft.folder, tensor.name, base);
    return { name, change: { ...change, layer }, place: "block", module: target.module };
  };
  if (target.expert !== undefined || (base.shapes.get(weight)?.[2] ?? 1) > 1)
    throw unknownPlace(peft.folder, tensor.name, base);
  const bias = weight.replace(/\.weight$/, ".bias");
  if (kind === "magnitude") return named(weight, { magnitude: () => inOrder() });
  if (kind === "bias" && /\.lora_B(?:\.[^.]+)?\.bias$/.test(path)) {
    const modulePath = modulePathOf(path.replace(/\.lora_B(?:\.[^.]+)?\.bias$/, ""));
    const scale = peft.modules.find((module) => module.modulePath === modulePath)?.scale ?? 1;
    return named(bias, { added: () => inOrder(scale) });
  }
  if (kind === "bias" || last === "bias") return named(bias, { whole: () => inOrder() });
  return named(weight, { whole: () => inOrder() });
}

/** Rows of the embedding that were trained by themselves. Source: peft/tuners/trainable_tokens/layer.py. */
function tokenChange(owner: string, values: () => Promise<Float32Array>, { config, folder }: PeftAdapter): NamedChange {
  const isHead = placeOfPath(owner).kind === "output";
  const numbers = tokenNumbers(config.trainable_token_indices, owner);
  if (numbers === undefined) {
    throw new AdapterError(folder, {
      what: `${folder} has trained rows of ${owner}, but its configuration does not say which`,
      expected: "trainable_token_indices",
      fix: "Put the adapter_config.json of the same training into the folder.",
    });
  }
  const place = isHead ? "output" : "embedding";
  return {
    name: isHead ? "output.weight" : "token_embd.weight",
    change: { rows: { numbers, values }, layer: undefined },
    place,
    module: isHead ? "output" : "token_embd",
  };
}

/** A list, or one for each of some modules. */
function tokenNumbers(indices: unknown, owner: string): number[] | undefined {
  const isList = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 0);
  if (isList(indices)) return indices;
  if (typeof indices !== "object" || indices === null) return undefined;
  return Object.entries(indices).flatMap(([name, list]) =>
    isList(list) && (owner === name || owner.endsWith(`.${name}`)) ? [list] : [],
  )[0];
}

/** A trained embedding or head of another size goes with another vocabulary, which the base does not have. */
function assertVocabulary({ tensor }: ExtraTensor, { folder }: PeftAdapter, base: BaseModel): void {
  const [tokens = 0, width = 0] = tensor.shape;
  const [d, vocabulary] = base.shapes.get("token_embd.weight") ?? [];
  if (width === d && tokens === vocabulary) return;
  throw new AdapterError(folder, {
    what: `${folder}: ${tensor.name} does not fit the vocabulary of ${base.path}`,
    actual: `[${tokens}, ${width}]`,
    expected: `[${vocabulary ?? 0}, ${d ?? 0}]`,
    fix: "Training changed the vocabulary: make the base GGUF from the model that was saved with the adapter's tokenizer.",
  });
}

/** The path of a trained tensor without what PEFT puts into it. */
function plainPath(path: string): string {
  return modulePathOf(path)
    .replace(/\.(?:modules_to_save|original_module)(?:\.(?!weight$|bias$)[^.]+)?(?=\.)/, "")
    .replace(/\.token_adapter\.trainable_tokens_delta(?:\.[^.]+)?$/, ".rows")
    .replace(/\.lora_magnitude_vector(?:\.(?!weight$)[^.]+)?(?:\.weight)?$/, ".magnitude")
    .replace(/\.lora_B(?:\.[^.]+)?\.bias$/, ".bias")
    .replace(/\.m$/, ".magnitude");
}

function gathered(values: Float32Array, rows: Uint32Array, width: number): Float32Array {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return new Float32Array(selectRows(bytes, rows, width * Float32Array.BYTES_PER_ELEMENT).buffer);
}

function unknownPlace(folder: string, tensor: string, base: BaseModel): AdapterError {
  return new AdapterError(
    folder,
    {
      what: `${folder}: the trained tensor ${tensor} has no known place in ${base.path}`,
      fix: "Merge the adapter with PEFT's merge_and_unload() and convert the merged model.",
    },
    tensor,
  );
}
