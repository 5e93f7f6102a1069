import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Candidate } from "../adapter/mask.js";
import { contextBytes, type ModelMemory } from "../adapter/model-memory.js";
import type { Engine, Generation } from "../engine/engine.js";
import type { PlannedSample, SweepPlan } from "./plan.js";
import { sharedMasks, sharesLayers } from "./shortcuts.js";

/** What a sweep will cost, at most, and how long that takes at the speed just measured. */
export interface CostEstimate {
  readonly candidates: number;
  readonly answers: number;
  readonly prefillTokens: number;
  readonly decodeTokensAtMost: number;
  /** Seconds with loading and trials, from some answers under some of the masks. */
  readonly seconds: number;
  /** Bytes of the key/value cache, and of what recurrent layers remember. */
  readonly cacheBytes: number;
}

/** What an estimate is scaled to. */
export interface SweepSize {
  readonly model: ModelMemory;
  /** The candidates that answer the selection part, and how many answer the holdout. */
  readonly tried: readonly Candidate[];
  readonly confirming: number;
  /** What loading and trials took, in seconds. */
  readonly startSeconds: number;
}

/** Samples and masks that are timed: enough to fill batches, few against a sweep. */
const TIMED_SAMPLES = 8;
const TIMED_MASKS = 3;

/** Times some samples under some masks, in the way in which the sweep will answer them, and scales that to the whole plan. Writes nothing. */
export async function estimateCost(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  { model, tried, confirming, startSeconds }: SweepSize,
): Promise<CostEstimate> {
  const { context, maxTokens } = plan.generation;
  const samples = spread(plan.selection, TIMED_SAMPLES);
  const masks = spread(tried, TIMED_MASKS);
  const rate = await timeAnswers(plan, engine, pieces, samples, masks);
  const seconds = (part: readonly PlannedSample[], candidates: readonly Candidate[]): number =>
    rate.secondsPerPassToken * passesOf(plan, candidates) * count(part) +
    rate.secondsPerAnswer * candidates.length * part.length;
  // Which one is chosen is not known: the middle one stands for it.
  const confirmed = [plan.base, tried[Math.floor(tried.length / 2)] ?? plan.full, plan.full].slice(0, confirming);
  const answers = tried.length * plan.selection.length + confirming * plan.holdout.length;
  return {
    candidates: plan.candidates.length,
    answers,
    prefillTokens: tried.length * count(plan.selection) + confirming * count(plan.holdout),
    decodeTokensAtMost: answers * maxTokens,
    seconds: startSeconds + seconds(plan.selection, tried) + (confirming > 0 ? seconds(plan.holdout, confirmed) : 0),
    cacheBytes: contextBytes(model, context),
  };
}

async function timeAnswers(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  samples: readonly PlannedSample[],
  masks: readonly Candidate[],
): Promise<{ readonly secondsPerPassToken: number; readonly secondsPerAnswer: number }> {
  const { sequences } = plan.generation.context;
  const prompts = samples.map(({ prompt }) => prompt);
  const first = prompts.slice(0, 1);
  const answers: Generation[] = [];
  let started = 0;
  if (sharesLayers(plan, masks)) {
    const request = { ...plan.generation, ...sharedMasks(plan, masks, pieces) };
    // The first call pays for pages of the model that are not in memory yet.
    await engine.generateShared({ ...request, prompts: first, maxTokens: 1 }, () => undefined);
    started = performance.now();
    await engine.generateShared({ ...request, prompts }, ({ generation }) => answers.push(generation));
  } else {
    for (const [i, { mask }] of masks.entries()) {
      const request = { ...plan.generation, pieces: piecesOf(mask, pieces) };
      if (i === 0) {
        await engine.generate({ ...request, prompts: first, maxTokens: 1 });
        started = performance.now();
      }
      for (let at = 0; at < prompts.length; at += sequences) {
        answers.push(...(await engine.generate({ ...request, prompts: prompts.slice(at, at + sequences) })));
      }
    }
  }
  const elapsed = performance.now() - started;
  const prefill = answers.reduce((sum, { prefillMs }) => sum + prefillMs, 0);
  return {
    secondsPerPassToken: prefill / 1000 / (passesOf(plan, masks) * count(samples)),
    secondsPerAnswer: Math.max(0, elapsed - prefill) / 1000 / Math.max(1, answers.length),
  };
}

/** Passes through the whole model that a prompt takes under these candidates. */
function passesOf(plan: SweepPlan, candidates: readonly Candidate[]): number {
  const { layerCount } = plan;
  if (!sharesLayers(plan, candidates)) return candidates.length;
  const inner = candidates.filter(({ number: boundary }) => boundary > 0 && boundary < layerCount);
  const base = candidates.some(({ number: boundary }) => boundary === 0) ? 1 : 0;
  return 1 + base + inner.reduce((sum, { number: boundary }) => sum + (layerCount - boundary) / layerCount, 0);
}

function count(samples: readonly PlannedSample[]): number {
  return samples.reduce((sum, { prompt }) => sum + prompt.tokens.length, 0);
}

/** So many items at even distances, the first and the last among them. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]).flatMap(
    (item) => (item === undefined ? [] : [item]),
  );
}
