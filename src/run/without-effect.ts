/**
 * Why modules have no effect: a matrix of theirs is zero, their product is, llama.cpp does not apply LoRA there, or the tried tokens went to
 * none of the experts that have an update.
 */
export const effectCauses = ["zero-a", "zero-b", "zero-product", "not-applied", "not-routed"] as const;
export type EffectCause = (typeof effectCauses)[number];

/** Modules of one kind that change no logit, for one cause. */
export interface WithoutEffect {
  /** The kind: `attn_q_a`. */
  readonly module: string;
  /** How many of the kind's modules in the adapter. */
  readonly modules: number;
  readonly of: number;
  /** The layers of those without an effect, ascending; none for embedding and head. */
  readonly layers: readonly number[];
  readonly cause: EffectCause;
}

/** Which modules of an adapter change what the model computes. */
export interface AdapterEffects {
  readonly withoutEffect: readonly WithoutEffect[];
  /** Modules of the adapter. */
  readonly modules: number;
  /** Short prompts that it took; 0 where it was known from an earlier call. */
  readonly prompts: number;
}
