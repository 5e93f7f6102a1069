import { withSha256, type BaseModel, type HashedBaseModel } from "../../adapter/base-model.js";
import type { HashedAdapter } from "../../adapter/adapter.js";
import { openAdapter } from "../../adapter/open-adapter.js";
import { openEngine } from "../../engine/process-engine.js";
import { InputFiles } from "../../files/input-files.js";
import { BoundaryError, InterruptedError } from "../../errors.js";
import { adapterEffects } from "./adapter-effects.js";
import type { EffectEngine } from "./effect-trial.js";
import { effectSentences, hasNoEffect } from "./effect-words.js";
import { withEngine } from "../session.js";

/** What a user should know of an adapter's modules on this engine, a sentence each: kinds without an effect, and whether nothing has one. */
export async function effectNotes(
  engine: EffectEngine,
  adapter: HashedAdapter,
  model: HashedBaseModel,
): Promise<string[]> {
  const effects = await adapterEffects(engine, adapter, model);
  const place = { llamaCpp: engine.info.llamaCpp, architecture: model.architecture };
  const nothing = hasNoEffect(effects) ? [`${adapter.givenPath} changes nothing on ${model.path}`] : [];
  return [...effectSentences(effects, place), ...nothing];
}

/**
 * {@link effectNotes} of an adapter in either form, for commands that need no engine otherwise: one is opened on the CPU. Where it cannot be
 * tried, a note says why.
 * @throws InterruptedError when the signal fired.
 */
export async function notesOnEffects(path: string, model: BaseModel, signal?: AbortSignal): Promise<string[]> {
  try {
    const { adapter, close } = await openAdapter(path, model);
    try {
      const hashed = await withSha256(model);
      const files = new InputFiles([...hashed.sources, ...adapter.sources]);
      const open = (): ReturnType<typeof openEngine> => openEngine({ modelPath: model.path, gpu: "off", gpuLayers: 0 });
      return await withEngine(open, files, signal, (engine) => effectNotes(engine, adapter, hashed));
    } finally {
      await close();
    }
  } catch (error) {
    if (!(error instanceof BoundaryError) || error instanceof InterruptedError) throw error;
    return [`which modules have an effect could not be tried: ${error.message}`];
  }
}
