import type { BaseModel } from "../adapter/base-model.js";
import { notesOnEffects } from "../sweep/effects/effect-notes.js";
import { warn } from "./output.js";

/** Tries an adapter on its model, and warns on stderr of modules without an effect. @throws InterruptedError when the signal fired. */
export async function warnOfEffects(adapter: string, model: BaseModel, signal: AbortSignal): Promise<void> {
  for (const note of await notesOnEffects(adapter, model, signal)) warn(note);
}
