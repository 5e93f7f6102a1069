import type { ScaledPiece } from "../adapter/pieces.js";

/** Texts that go through all layers under one mask. Every token is an output, so that the last layer computes them all. */
export interface PassRequest {
  readonly pieces: readonly ScaledPiece[];
  /** One sequence. */
  readonly context: ContextShape;
  readonly prompts: readonly { readonly id: string; readonly tokens: readonly number[] }[];
}

/**
 * A context with what is usual where nothing is said: one sequence of 4096 tokens, 512 tokens in one call, a cache of type F16, flash attention as llama.cpp decides.
 * @throws nothing: sizes that do not fit into memory show when the context is made.
 */
export function contextShape(given: Partial<ContextShape> = {}): ContextShape {
  return { sequences: 1, contextSize: 4096, batchSize: 512, cacheType: "F16", flashAttention: "auto", ...given };
}

/** What goes through one linear module of a layer: sums over all tokens of all prompts, and over the experts that each goes through. */
export interface ModuleEnergy {
  /** Name of the weight W: `blk.0.attn_q.weight`. */
  readonly name: string;
  readonly tokens: number;
  /** Sum of ||x||^2 of what W is multiplied with. */
  readonly input: number;
  /** Sum of ||W x||^2, without bias. */
  readonly output: number;
  /** Sum of ||s B A x||^2, the mask's scale included; 0 where no adapter changes the module. */
  readonly update: number;
}

/** How long the layers took for one prompt. */
export interface LayerTimes {
  readonly id: string;
  readonly tokens: number;
  /** From layer 0. */
  readonly milliseconds: Float64Array;
}

/** One layer whose modules' inputs are asked for. */
export interface MomentRequest extends PassRequest {
  readonly layer: number;
}

/** E[x x'] of the input that some modules of a layer share. */
export interface InputMoment {
  /** Names of the weights, as in {@link ModuleEnergy}. */
  readonly modules: readonly string[];
  readonly length: number;
  readonly tokens: number;
  /** Mean over the tokens, [length, length]; both triangles are filled. */
  readonly values: Float64Array;
}

/** Shape of a context. One context serves one mask, always: the key/value cache does not survive a change of adapter. */
export interface ContextShape {
  /** Prompts that are generated for at once. */
  readonly sequences: number;
  /** Tokens of each sequence, prompt and answer together. */
  readonly contextSize: number;
  /** Most tokens in one call of llama_decode. */
  readonly batchSize: number;
  /** Type of the key/value cache. */
  readonly cacheType: "F16" | "F32";
  readonly flashAttention: "auto" | "off";
}
