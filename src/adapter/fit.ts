import { AdapterError, type ErrorParts } from "../errors.js";
import type { Adapter, AdapterModule, Place } from "./adapter.js";
import type { BaseModel } from "./base-model.js";
import { updateShape } from "./update-shape.js";

/**
 * Checks that an adapter can be loaded on this model without the engine refusing, aborting or misreading it.
 * llama.cpp itself checks names and shapes only while loading, and aborts the process on an embedding adapter for a tied base.
 * @throws AdapterError naming the first thing that does not fit.
 */
export function assertFits(adapter: Adapter, model: BaseModel): void {
  const { givenPath: path } = adapter;
  if (adapter.architecture !== model.architecture) {
    throw new AdapterError(path, {
      what: `${path} was made for another architecture than ${model.path}`,
      actual: `adapter ${JSON.stringify(adapter.architecture)}`,
      expected: `${JSON.stringify(model.architecture)}, as the model has`,
      fix: "Use the adapter with the base model that it was trained on.",
    });
  }
  if (adapter.alpha === 0) {
    throw new AdapterError(path, {
      what: `${path} has alpha 0, which the engine reads as scale 1 instead of 0`,
      actual: "adapter.lora.alpha 0",
      expected: "a number other than 0",
      fix: "Set the real alpha (convert the adapter again), or drop the adapter.",
    });
  }
  for (const module of adapter.modules) assertUpdateFits(path, updateOf(module), model);
}

/** An update as the engine would apply it: `update` is the shape of the base tensor it needs, in ggml's order. */
export interface Update {
  readonly name: string;
  readonly layer: number | undefined;
  readonly place: Place;
  readonly update: readonly (number | undefined)[];
}

/** The shape of the base tensor that a module of a GGUF adapter needs. */
function updateOf(module: AdapterModule): Update {
  const { inputs, outputs, experts } = updateShape(module);
  // The embedding's base is a table of rows: [d, vocabulary].
  const matrix = module.place === "embedding" ? [outputs, inputs] : [inputs, outputs];
  return { ...module, update: experts === undefined ? matrix : [...matrix, experts] };
}

/**
 * Checks one update against the model.
 * @throws AdapterError for a layer beyond the model's, an embedding or head shared by the base, a missing tensor or another shape.
 */
export function assertUpdateFits(path: string, { name, layer, place, update }: Update, model: BaseModel): void {
  const shape = model.shapes.get(name);
  const otherBase = "Use the adapter with the base model that it was trained on.";
  const problem = (): ErrorParts | undefined => {
    if (layer !== undefined && layer >= model.layerCount) {
      const expected = `layers 0 to ${model.layerCount - 1}`;
      return { what: `${path} has more layers than the model`, actual: `tensor ${name}`, expected, fix: otherBase };
    }
    if (place !== "block" && model.tiedEmbedding) {
      return {
        what: `${path} adapts ${name}, but the model shares one tensor between embedding and output head`,
        fix: "The engine cannot apply such an adapter. Train without embed_tokens and lm_head, or merge it into the base.",
      };
    }
    if (!shape)
      return { what: `${path} adapts tensor ${name}, which the model ${model.path} does not have`, fix: otherBase };
    // llama.cpp does not look at the number of experts, and reads beyond the update's end where the base has more.
    if (update[0] === shape[0] && update[1] === shape[1] && (update[2] ?? 1) === (shape[2] ?? 1)) return undefined;
    return {
      what: `${path}: the shape of ${name} does not match the model ${model.path}`,
      actual: `an update of [${update.join(", ")}]`,
      expected: `[${shape.join(", ")}] as in the model`,
      fix: otherBase,
    };
  };
  const parts = problem();
  if (parts) throw new AdapterError(path, parts, name);
}
