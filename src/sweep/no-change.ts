import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import { AdapterError } from "../errors.js";
import type { SweepPlan } from "./plan.js";

/** Prompts on which an adapter must leave every logit as it was before it is said to change nothing. */
const PROBES = 3;

/**
 * Refuses an adapter that changes nothing: with it and without it the logits of the first prompts are equal in every bit.
 * @throws AdapterError, because a sweep over such an adapter would compare a model with itself.
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
    const full = await logitsOf(plan.full.mask, tokens);
    if (!equal(full, await logitsOf(plan.base.mask, tokens))) return;
  }
  throw new AdapterError(adapterPath, {
    what: `${adapterPath} changes nothing: K=0 and K=${plan.layerCount} give equal logits on ${prompts.length} prompts`,
    expected: "an adapter with an effect",
    fix: "Its B matrices are probably all zero (never trained) or its alpha vanishes: export the trained adapter again.",
  });
}

function equal(a: Float32Array, b: Float32Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
}
