import { AdapterError } from "../errors.js";
import type { Adapter, AdapterModule } from "./adapter.js";
import type { BaseModel } from "./base-model.js";

/**
 * Checks that an adapter can be loaded on this model without the engine refusing, aborting or misreading it.
 * llama.cpp itself checks names and shapes only while loading, and aborts the process on an embedding adapter for a tied base.
 * @throws AdapterError naming the first thing that does not fit.
 */
export function assertFits(adapter: Adapter, model: BaseModel): void {
  const { path } = adapter;
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
  for (const module of adapter.modules) assertModuleFits(adapter, module, model);
}

function assertModuleFits(adapter: Adapter, module: AdapterModule, model: BaseModel): void {
  const { path } = adapter;
  if (module.layer !== undefined && module.layer >= model.layerCount) {
    throw new AdapterError(
      path,
      {
        what: `${path} has more layers than the model`,
        actual: `tensor ${module.name}`,
        expected: `layers 0 to ${model.layerCount - 1}`,
        fix: "Use the adapter with the base model that it was trained on.",
      },
      module.name,
    );
  }
  if (module.place !== "block" && model.tiedEmbedding) {
    throw new AdapterError(
      path,
      {
        what: `${path} adapts ${module.name}, but the model shares one tensor between embedding and output head`,
        fix: "The engine cannot apply such an adapter. Train without embed_tokens and lm_head, or merge it into the base.",
      },
      module.name,
    );
  }
  const shape = model.shapes.get(module.name);
  if (!shape) {
    throw new AdapterError(
      path,
      {
        what: `${path} adapts tensor ${module.name}, which the model ${model.path} does not have`,
        fix: "Use the adapter with the base model that it was trained on.",
      },
      module.name,
    );
  }
  // The embedding's pair is stored the other way round: A [rank, vocabulary], B [rank, d] for a base of [d, vocabulary].
  const found =
    module.place === "embedding" ? [module.b.dims[1], module.a.dims[1]] : [module.a.dims[0], module.b.dims[1]];
  if (found[0] !== shape[0] || found[1] !== shape[1]) {
    throw new AdapterError(
      path,
      {
        what: `${path}: the shape of ${module.name} does not match the model ${model.path}`,
        actual: `an update of [${found.join(", ")}]`,
        expected: `[${shape.join(", ")}] as in the model`,
        fix: "Use the adapter with the base model that it was trained on.",
      },
      module.name,
    );
  }
}
