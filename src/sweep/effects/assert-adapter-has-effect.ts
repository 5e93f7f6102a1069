import { piecesOf, type Piece } from "../../adapter/pieces.js";
import type { Engine } from "../../engine/engine.js";
import { AdapterError } from "../../errors.js";
import { adapterEffects } from "./adapter-effects.js";
import type { EffectEngine } from "./effect-trial.js";
import { effectSentences, hasNoEffect } from "./effect-words.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { SweepPlan } from "../plan.js";
import type { AdapterEffects } from "../../run/without-effect.js";

/** Prompts on which an adapter must leave every logit as it was before it is said to change nothing. */
const PROBES = 3;

/**
 * The same inputs with what was found out about the adapter's modules, each kind without an effect in a note.
 * @throws AdapterError that names each cause where no module acts: a sweep would compare a model with itself.
 */
export async function withEffects(inputs: SweepInputs, engine: EffectEngine): Promise<SweepInputs> {
  const { adapter, model, notes } = inputs;
  const effects = await adapterEffects(engine, adapter, model);
  assertHasEffect(effects, inputs, engine);
  const place = { llamaCpp: engine.info.llamaCpp, architecture: model.architecture };
  return { ...inputs, effects, notes: [...notes, ...effectSentences(effects, place).map((text) => `${text}.`)] };
}

function assertHasEffect(
  effects: AdapterEffects,
  { adapter, model }: Pick<SweepInputs, "adapter" | "model">,
  { info }: Pick<Engine, "info">,
): void {
  if (!hasNoEffect(effects)) return;
  const causes = new Set(effects.withoutEffect.map(({ cause }) => cause));
  const isIgnored = causes.has("not-applied") || causes.has("not-routed");
  const isZero = [...causes].some((cause) => cause.startsWith("zero"));
  const sentences = effectSentences(effects, { llamaCpp: info.llamaCpp, architecture: model.architecture });
  throw new AdapterError(adapter.givenPath, {
    what: `${adapter.givenPath} changes nothing on ${model.path}: ${sentences.join("; ")}`,
    fix: [
      ...(isIgnored ? ["Merge the adapter into the base model, or train modules that llama.cpp applies."] : []),
      ...(isZero ? ["Export the trained adapter again."] : []),
    ].join(" "),
  });
}

/**
 * Refuses an adapter whose modules act, but so little that the logits of the first prompts are equal with and without it in every bit.
 * @throws AdapterError.
 */
export async function assertChangesSomething(
  engine: Engine,
  plan: SweepPlan,
  pieces: readonly Piece[],
  adapterPath: string,
): Promise<void> {
  const context = { ...plan.generation.context, sequences: 1 };
  const prompts = plan.selection.slice(0, PROBES).map(({ prompt }) => prompt.tokens);
  const logitsOf = (mask: SweepPlan["full"]["mask"], tokens: readonly number[]): Promise<Float32Array> =>
    engine.nextTokenLogits({ pieces: piecesOf(mask, pieces), context, tokens });
  for (const tokens of prompts) {
    const base = await logitsOf(plan.base.mask, tokens);
    if ((await logitsOf(plan.full.mask, tokens)).some((value, i) => value !== base[i])) return;
  }
  throw new AdapterError(adapterPath, {
    what: `${adapterPath} changes nothing: K=0 and K=${plan.layerCount} give equal logits on ${prompts.length} prompts`,
    fix: "Its update is not zero, but too small to change a logit here: check its alpha, and whether it was trained long enough.",
  });
}
