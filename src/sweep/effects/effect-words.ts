import { layerList } from "../../strategy/mask-words.js";
import type { AdapterEffects, EffectCause, WithoutEffect } from "../../run/without-effect.js";

/** Where the check was made. */
export interface EffectPlace {
  /** Release of llama.cpp. */
  readonly llamaCpp: string;
  readonly architecture: string;
}

/** One sentence for each kind of module and cause: `attn_q_a (27 modules) has no effect: llama.cpp v0.5.0 does not apply LoRA there on deepseek2`. */
export function effectSentences(
  { withoutEffect }: Pick<AdapterEffects, "withoutEffect">,
  place: EffectPlace,
): string[] {
  return withoutEffect.map((kind) => `${kindWords(kind)}: ${causeWords(kind.cause, place)}`);
}

/** Whether no module of the adapter has an effect. */
export function hasNoEffect({ withoutEffect, modules }: AdapterEffects): boolean {
  return withoutEffect.reduce((sum, kind) => sum + kind.modules, 0) === modules;
}

function kindWords({ module, modules, of, layers }: WithoutEffect): string {
  if (modules === of) return `${module} (${of} ${of === 1 ? "module" : "modules"}) has no effect`;
  return `${module} has no effect in ${modules} of ${of} modules (${layerList(layers)})`;
}

function causeWords(cause: EffectCause, { llamaCpp, architecture }: EffectPlace): string {
  switch (cause) {
    case "not-applied":
      return `llama.cpp ${llamaCpp} does not apply LoRA there on ${architecture}`;
    case "zero-b":
      return "its B is all zero, as before training";
    case "zero-a":
      return "its A is all zero";
    case "zero-product":
      return "the product of its A and B is zero";
    case "not-routed":
      return "only some experts have an update, and the tried tokens went to none of them, or llama.cpp does not apply LoRA there";
  }
}
