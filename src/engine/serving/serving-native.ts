import type { LlamaContext, LlamaModel } from "node-llama-cpp";

/** Place of a token's logits in the last batch. */
export type LogitsPlace = number & { readonly logitsPlace: never };

/** Settings of a sampler; what is absent is off. Source: AddonSampler::ApplyConfig. */
export interface SamplerConfig {
  readonly temperature: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly seed?: number;
  readonly repeatPenalty?: number;
  readonly repeatPenaltyTokens?: Uint32Array;
  readonly repeatPenaltyMaxTokens?: number;
  readonly repeatPenaltyPresencePenalty?: number;
  readonly repeatPenaltyFrequencyPenalty?: number;
  readonly tokenBiasKeys?: Uint32Array;
  readonly tokenBiasValues?: Float32Array;
}

/** A sampler of llama.cpp with buffers of the vocabulary's size, which are only freed when it is collected. */
export interface NativeSampler {
  applyConfig(config: SamplerConfig): void;
  dispose(): void;
}

/** Which logits come along with a sampled token: [these tokens, highest, lowest, selected, so many of the top]. */
type LogitsFilter = readonly [tokens: readonly number[], false, false, selected: boolean, top: number];

/** A sampled token (-1 where there is none), with logits as [token, logit, ...] and the sum of exp(logit - highest). */
export type SampledWithLogits = readonly [
  token: number,
  probabilities: undefined,
  confidence: undefined,
  logits: readonly number[] | undefined,
  totalWeight: number | undefined,
];

/** llama.cpp's context as node-llama-cpp wraps it. Sequences are numbers from 0; positions are those within a sequence. */
export interface NativeContext {
  /** Starts a batch of exactly so many tokens, at most the context's batch size. */
  initBatch(tokens: number): void;
  /** Adds tokens of one sequence from a position on; returns where the logits of the tokens at `logitsAt` will be. */
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitsAt: Uint32Array): Uint32Array;
  /** Computes the batch on a thread of the pool. */
  decodeBatch(): Promise<void>;
  sampleToken(place: LogitsPlace, sampler: NativeSampler): Promise<number>;
  sampleToken(
    place: LogitsPlace,
    sampler: NativeSampler,
    probabilities: false,
    confidence: false,
    logits: LogitsFilter,
    totalWeight: true,
  ): Promise<SampledWithLogits>;
  /** Forgets the positions from `start` (inclusive) to `end` (exclusive); false where the model's memory cannot do that. */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean;
  /** Forgets a whole sequence. */
  disposeSequence(sequence: number): void;
  /** First position that is still kept; above 0 where a sliding window has moved on, -1 for an empty sequence. */
  getSequenceKvCacheMinPosition(sequence: number): number;
}

/**
 * Serving drives the native context below node-llama-cpp's sequences itself: only so is the composition of every batch its own (and
 * with it which answers are exact), does one sampler serve a whole answer, and do probabilities come with sampled tokens. These are
 * internals of the release that package.json pins.
 * @throws Error when this release has other internals.
 */
export function nativeContext(context: LlamaContext): NativeContext {
  const native = member(context, "_ctx");
  const methods = [
    "initBatch",
    "addToBatch",
    "decodeBatch",
    "sampleToken",
    "removeTokenCellsFromSequence",
    "disposeSequence",
    "getSequenceKvCacheMinPosition",
  ] as const;
  for (const method of methods) if (typeof member(native, method) !== "function") throw otherRelease(`_ctx.${method}`);
  // Each of its methods was just seen to be there.
  return native as NativeContext;
}

/** A new sampler for this model. @throws Error when this release of node-llama-cpp has other internals. */
export function nativeSampler(model: LlamaModel): NativeSampler {
  const make = member(member(model.llama, "_bindings"), "AddonSampler");
  if (typeof make !== "function") throw otherRelease("_bindings.AddonSampler");
  return new (make as new (model: unknown) => NativeSampler)(member(model, "_model"));
}

/** A token as the model's file writes it. @throws Error when this release of node-llama-cpp has other internals. */
export function nativeTokenText(model: LlamaModel, token: number): string {
  const native = member(model, "_model");
  const text = member(native, "getTokenString");
  if (typeof text !== "function") throw otherRelease("_model.getTokenString");
  return String(Reflect.apply(text, native, [token]));
}

function member(of: unknown, name: string): unknown {
  const value: unknown = typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined;
  if (value === undefined) throw otherRelease(name);
  return value;
}

function otherRelease(name: string): Error {
  return new Error(`node-llama-cpp has no ${name}: this is another release than the one in package.json`);
}
