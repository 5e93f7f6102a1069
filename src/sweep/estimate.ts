import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Candidate } from "../adapter/mask.js";
import { contextBytes, type ModelMemory } from "../adapter/model-memory.js";
import type { Engine, Generation } from "../engine/engine.js";
import type { SweepInputs } from "./inputs/inputs.js";
import type { PlannedSample, SweepPlan } from "./plan.js";
import { continuedPrompts, weighingContext, type ContinuedPrompt } from "./ranking/continuations.js";
import { sharedMasks, sharesLayers } from "./shortcuts.js";
import { weigherOf } from "./weigh-references.js";

/** What a sweep will cost, at most, and how long that takes at the speed just measured. */
export interface CostEstimate {
  readonly candidates: number;
  readonly answers: number;
  /** References whose likelihood is asked for, each under one candidate. */
  readonly weighed: number;
  /** Of prompts that are answered, and of prompts and references that are weighed. */
  readonly prefillTokens: number;
  readonly decodeTokensAtMost: number;
  /** Seconds with loading and trials, from some samples under some of the masks. */
  readonly seconds: number;
  /** Bytes of the key/value cache, and of what recurrent layers remember. */
  readonly cacheBytes: number;
}

/** What an estimate is scaled to. */
export interface SweepSize {
  readonly model: ModelMemory;
  /** What the metrics take of each part, and the texts that references are put behind. */
  readonly inputs: Pick<SweepInputs, "samples" | "template" | "needs">;
  /** The candidates that answer the selection part, and how many answer the holdout. */
  readonly tried: readonly Candidate[];
  readonly confirming: number;
  /** What loading and trials took, in seconds. */
  readonly startSeconds: number;
}

/** Samples and masks that are timed: enough to fill batches, few against a sweep. */
const TIMED_SAMPLES = 8;
const TIMED_MASKS = 3;

/** What a part of the samples costs under some candidates, as far as it was measured. */
interface Pace {
  readonly secondsPerPassToken: number;
  readonly secondsPerAnswer: number;
}

/** Times some samples under some masks, in the way in which the sweep will do them, and scales that to the whole plan. Writes nothing. */
export async function estimateCost(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  { model, inputs, tried, confirming, startSeconds }: SweepSize,
): Promise<CostEstimate> {
  const { context, maxTokens } = plan.generation;
  const { needs } = inputs;
  const masks = spread(tried, TIMED_MASKS);
  const isUsed = (what: "answers" | "likelihoods"): boolean => needs.selection[what] || needs.holdout[what];
  const samples = spread(plan.selection, TIMED_SAMPLES);
  const answering = isUsed("answers") ? await timeAnswers(plan, engine, pieces, samples, masks) : undefined;
  const texts = async (part: readonly PlannedSample[]): Promise<ContinuedPrompt[]> =>
    needs[part[0]?.part ?? "selection"].likelihoods ? continuedPrompts(engine, inputs, part) : [];
  const weighed = { selection: await texts(plan.selection), holdout: await texts(plan.holdout) };
  const timed = spread(weighed.selection.length > 0 ? weighed.selection : weighed.holdout, TIMED_SAMPLES);
  const weighing = isUsed("likelihoods") ? await timeWeighing(plan, engine, pieces, timed, masks) : undefined;
  // Which one is chosen is not known: the middle one stands for it.
  const confirmed = [plan.base, tried[Math.floor(tried.length / 2)] ?? plan.full, plan.full].slice(0, confirming);
  const parts = [
    { name: "selection", samples: plan.selection, candidates: tried },
    { name: "holdout", samples: plan.holdout, candidates: confirmed },
  ] as const;
  const cost = { answers: 0, weighed: 0, prefillTokens: 0, seconds: startSeconds };
  for (const { name, samples: own, candidates } of parts) {
    const add = (pace: Pace, items: number, tokens: number): void => {
      cost.prefillTokens += candidates.length * tokens;
      cost.seconds +=
        pace.secondsPerPassToken * passesOf(plan, candidates) * tokens +
        pace.secondsPerAnswer * candidates.length * items;
    };
    if (answering && needs[name].answers) {
      cost.answers += candidates.length * own.length;
      add(answering, own.length, promptTokens(own));
    }
    if (weighing && needs[name].likelihoods) {
      cost.weighed += candidates.length * weighed[name].length;
      add(weighing, weighed[name].length, textTokens(weighed[name]));
    }
  }
  return {
    candidates: plan.candidates.length,
    ...cost,
    decodeTokensAtMost: cost.answers * maxTokens,
    cacheBytes: contextBytes(model, context),
  };
}

async function timeWeighing(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  prompts: readonly ContinuedPrompt[],
  masks: readonly Candidate[],
): Promise<Pace> {
  const weigh = weigherOf({ plan, engine, pieces }, masks, weighingContext(plan, prompts));
  // The first call pays for pages of the model that are not in memory yet.
  await weigh(prompts.slice(0, 1));
  const started = performance.now();
  await weigh(prompts);
  const seconds = (performance.now() - started) / 1000;
  return { secondsPerPassToken: seconds / (passesOf(plan, masks) * textTokens(prompts)), secondsPerAnswer: 0 };
}

async function timeAnswers(
  plan: SweepPlan,
  engine: Engine,
  pieces: readonly Piece[],
  samples: readonly PlannedSample[],
  masks: readonly Candidate[],
): Promise<Pace> {
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
    secondsPerPassToken: prefill / 1000 / (passesOf(plan, masks) * promptTokens(samples)),
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

function promptTokens(samples: readonly PlannedSample[]): number {
  return samples.reduce((sum, { prompt }) => sum + prompt.tokens.length, 0);
}

function textTokens(prompts: readonly ContinuedPrompt[]): number {
  return prompts.reduce((sum, { tokens, continuation }) => sum + tokens.length + continuation.length, 0);
}

/** So many items at even distances, the first and the last among them. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]).flatMap(
    (item) => (item === undefined ? [] : [item]),
  );
}
