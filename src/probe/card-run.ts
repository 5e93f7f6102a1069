import type { HashedAdapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import type { Mask } from "../adapter/mask.js";
import type { ScaledPiece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import type { PassRequest } from "../engine/layer-passes.js";
import type { ContinuedPrompt } from "../sweep/ranking/continuations.js";

/** Tokens at a time where all are outputs: the logits of so many rows fit into memory whatever the vocabulary. */
const OUTPUT_ROWS = 128;

/** What it takes to measure parts of a layer card. */
export interface CardRun {
  readonly engine: Engine;
  readonly model: BaseModel;
  readonly prompts: readonly ContinuedPrompt[];
  /** One sequence that holds the longest prompt with its reference. */
  readonly context: ContextShape;
  readonly seed: number;
  /** Stops what engines it opens; the engine that is given is stopped by whoever opened it. */
  readonly signal: AbortSignal | undefined;
  /** Called after each pass over all prompts. */
  readonly onPass: () => void;
}

/** A run with an adapter whose modules can be taken out. */
export interface AdapterRun extends CardRun {
  readonly adapter: HashedAdapter;
  /** The adapter's pieces under a mask that leaves out whole layers. */
  readonly piecesOf: (mask: Mask) => readonly ScaledPiece[];
}

/** Everything that the model reads: prompts with their references, less the last token, which is predicted and predicts nothing. */
export function wholePass({ context, prompts }: CardRun, pieces: readonly ScaledPiece[]): PassRequest {
  return {
    pieces,
    context: { ...context, batchSize: Math.min(context.batchSize, OUTPUT_ROWS) },
    prompts: prompts.map(({ id, tokens, continuation }) => ({ id, tokens: [...tokens, ...continuation.slice(0, -1)] })),
  };
}

/** Negative log-likelihood of each sample's reference, in nats per token, in one pass. @throws whatever the engine throws. */
export async function losses(
  { engine, prompts, context, onPass }: CardRun,
  pieces: readonly ScaledPiece[],
): Promise<Float64Array> {
  const likelihoods = await engine.logLikelihoods({ pieces, context, prompts });
  onPass();
  return Float64Array.from(likelihoods, ({ logProbability, tokens }) => -logProbability / tokens);
}

/** Mean over the samples. */
export function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
