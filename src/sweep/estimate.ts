import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import type { SweepPlan } from "./plan.js";

/** What a sweep will cost, at most, and how long that takes at the speed just measured. */
export interface CostEstimate {
  readonly candidates: number;
  readonly answers: number;
  readonly prefillTokens: number;
  readonly decodeTokensAtMost: number;
  /** Seconds, from one wave of answers with the full adapter. */
  readonly seconds: number;
  /** Bytes of the key/value cache. */
  readonly cacheBytes: number;
}

/** What an estimate is scaled to. */
export interface SweepSize {
  readonly cacheBytesPerToken: number;
  /** Candidates that answer each part. */
  readonly answering: { readonly selection: number; readonly holdout: number };
}

/** Measures one wave with the full adapter and scales it to the whole plan. Writes nothing. */
export async function estimateCost(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  { cacheBytesPerToken, answering }: SweepSize,
): Promise<CostEstimate> {
  const { context, maxTokens, stop } = plan.generation;
  const wave = plan.selection.slice(0, context.sequences).map(({ prompt }) => prompt);
  const request = { pieces: piecesOf(plan.full.mask, pieces), context, maxTokens, stop };
  // The first call pays for pages of the model that are not in memory yet.
  await engine.generate({ ...request, prompts: wave.slice(0, 1), maxTokens: 1 });
  const started = performance.now();
  const answers = await engine.generate({ ...request, prompts: wave });
  const elapsed = performance.now() - started;
  const prefillMs = answers.reduce((sum, answer) => sum + answer.prefillMs, 0);
  const msPerPromptToken = prefillMs / count(wave);
  const otherMsPerAnswer = (elapsed - prefillMs) / wave.length;

  const answerCount = answering.selection * plan.selection.length + answering.holdout * plan.holdout.length;
  const prefillTokens =
    answering.selection * count(plan.selection.map(({ prompt }) => prompt)) +
    answering.holdout * count(plan.holdout.map(({ prompt }) => prompt));
  return {
    candidates: plan.candidates.length,
    answers: answerCount,
    prefillTokens,
    decodeTokensAtMost: answerCount * maxTokens,
    seconds: (msPerPromptToken * prefillTokens + otherMsPerAnswer * answerCount) / 1000,
    cacheBytes: cacheBytesPerToken * context.sequences * context.contextSize,
  };
}

function count(prompts: readonly { readonly tokens: readonly number[] }[]): number {
  return prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
}
