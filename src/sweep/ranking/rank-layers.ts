import { reading } from "../../engine/layer-reader.js";
import { at, defined } from "../../assert.js";
import { maskOf, type Mask } from "../../adapter/mask.js";
import { piecesOf, writePieces, type Piece } from "../../adapter/pieces.js";
import { layerSizes, updateSizes } from "../../adapter/update-size.js";
import type { Engine } from "../../engine/engine.js";
import { UsageError } from "../../errors.js";
import { shuffle } from "../../statistics/random.js";
import { layerEnergies } from "../../strategy/layer-energy.js";
import {
  ckaRankings,
  FEWEST_FOR_CKA,
  importanceNotes,
  isCkaRanking,
  layerImportances,
  rankedLayers,
  type CkaRanking,
} from "../../strategy/layer-importance.js";
import type { Ranking, Strategy } from "../../strategy/strategy.js";
import { ckaPrompts } from "../cka-prompts.js";
import type { SweepConfig } from "../config.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { LikelihoodFile } from "../../run/likelihood-file.js";
import { contextSizeFor, type SweepPlan } from "../plan.js";
import { ReferenceScorer } from "./reference-scorer.js";

/** Layers from the most useful, with what was measured of them. */
export interface LayerRanking {
  readonly by: Ranking | "greedy";
  readonly layers: readonly number[];
  /**
   * In the order of `layers`, the higher the more useful; empty where the order is all there is, shorter than `layers` where the last of
   * them could not be measured.
   */
  readonly values: readonly number[];
  /** Samples of the selection that were looked at, 0 where none was. */
  readonly samples: number;
  /** Layers times tokens that it took. */
  readonly layerTokens: number;
  /** What a user should know of it, one sentence each. */
  readonly notes?: readonly string[];
}

/** What ranking takes. */
export interface RankInput {
  readonly config: Pick<SweepConfig, "seed">;
  readonly inputs: SweepInputs;
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly likelihoods: LikelihoodFile;
  /** Folder for pieces of single layers. */
  readonly pieces: string;
  readonly signal: AbortSignal | undefined;
  /** How many passes are done. */
  readonly onPass?: ((done: number, total: number) => void) | undefined;
}

/** Samples whose references are weighed for each layer. */
const NLL_SAMPLES = 64;
/** Of a search that weighs L layers in each of L rounds. */
const GREEDY_SAMPLES = 16;

/** Passes over how many samples at most a strategy takes before its masks are known. @param layers that the adapter covers. */
export function rankingPasses(
  strategy: Strategy,
  layers: number,
): { readonly passes: number; readonly samples: number } {
  if (strategy.kind === "greedy") {
    let passes = 0;
    for (let left = layers; left > strategy.step; left -= strategy.step) passes += left;
    return { passes, samples: GREEDY_SAMPLES };
  }
  if (strategy.kind !== "top") return { passes: 0, samples: 0 };
  if (strategy.ranking === "nll") return { passes: layers + 1, samples: NLL_SAMPLES };
  return {
    passes: strategy.ranking === "norm" || strategy.ranking === "random" ? 0 : 1,
    samples: Number.POSITIVE_INFINITY,
  };
}

/**
 * Ranks the layers that the adapter covers, on the selection part alone.
 * @returns undefined for strategies that need no ranking.
 * @throws UsageError for too few samples or references without tokens; EngineError where hidden states cannot be read; InterruptedError.
 */
export async function rankLayers(strategy: Strategy, input: RankInput): Promise<LayerRanking | undefined> {
  if (strategy.kind === "greedy") return greedy(strategy.step, input);
  if (strategy.kind !== "top") return undefined;
  if (isCkaRanking(strategy.ranking)) return byCka(input, strategy.ranking);
  switch (strategy.ranking) {
    case "norm":
      return byNorm(input);
    case "random": {
      const layers = shuffle(input.config.seed, input.inputs.adapter.coverage);
      return { by: "random", layers, values: [], samples: 0, layerTokens: 0 };
    }
    case "nll":
      return byLoss(input);
    case "energy":
      return byEnergy(input);
  }
}

async function byNorm({ inputs: { adapter, model } }: RankInput): Promise<LayerRanking> {
  const sizes = layerSizes(await updateSizes(adapter, model.path));
  return ranked("norm", new Map(sizes.map(({ layer, frobenius }) => [layer, frobenius])), {
    samples: 0,
    layerTokens: 0,
  });
}

/** [C] on the base model. Layers that have no importance come last. */
async function byCka({ inputs, plan, engine, onPass }: RankInput, by: CkaRanking): Promise<LayerRanking> {
  const position = ckaRankings[by];
  const { selection, layerCount, generation } = plan;
  const prompts = await ckaPrompts(engine, inputs, selection, position);
  if (prompts.length < FEWEST_FOR_CKA) {
    throw new UsageError({
      what: `there are too few samples to rank layers by ${by}`,
      actual: `${prompts.length} samples ${position === "prompt-end" ? "" : "with a reference "}in the selection`,
      expected: `at least ${FEWEST_FOR_CKA}: with fewer, any two layers look alike`,
      fix: "Give more samples, or a smaller --holdout.",
    });
  }
  const longest = Math.max(...prompts.map(({ tokens }) => tokens.length));
  const context = { ...generation.context, sequences: 1, contextSize: contextSizeFor(longest) };
  const importances = layerImportances(
    await reading(engine, "hiddenStates").hiddenStates({ pieces: [], context, prompts }),
  );
  onPass?.(1, 1);
  const covered = importances.filter(({ layer }) => inputs.adapter.coverage.includes(layer));
  const measured = rankedLayers(covered);
  return {
    by,
    layers: [...measured, ...covered.flatMap(({ layer, plain }) => (plain === null ? [layer] : []))],
    values: measured.map((layer) => defined(at(importances, layer).plain, `the importance of layer ${layer}`)),
    samples: prompts.length,
    layerTokens: layerCount * prompts.reduce((sum, { tokens }) => sum + tokens.length, 0),
    notes: importanceNotes(covered, position),
  };
}

/** How large the update is beside what it is added to, on what really goes through the layers. */
async function byEnergy(input: RankInput): Promise<LayerRanking> {
  const { inputs, plan, engine, onPass } = input;
  const { selection, layerCount, generation } = plan;
  const pieces = piecesOf(plan.full.mask, await writePieces(inputs.adapter, [plan.full.mask], input.pieces));
  const prompts = selection.map(({ prompt }) => prompt);
  const longest = Math.max(...prompts.map(({ tokens }) => tokens.length));
  const context = { ...generation.context, sequences: 1, contextSize: contextSizeFor(longest) };
  const energies = layerEnergies(
    await reading(engine, "moduleEnergies").moduleEnergies({ pieces, context, prompts }),
    layerCount,
  );
  onPass?.(1, 1);
  const values = inputs.adapter.coverage.map((layer) => [layer, at(energies, layer).update] as const);
  return ranked("energy", new Map(values), {
    samples: selection.length,
    layerTokens: layerCount * prompts.reduce((sum, { tokens }) => sum + tokens.length, 0),
  });
}

/** How much less probable references become without a layer's adapter. */
async function byLoss(input: RankInput): Promise<LayerRanking> {
  const { adapter } = input.inputs;
  const weigher = await openWeigher(input, NLL_SAMPLES);
  const pieces = await layerPieces(input);
  const total = adapter.coverage.length + 1;
  const full = await weigher.loss(keeping(input, adapter.coverage), "full", pieces);
  input.onPass?.(1, total);
  const values = new Map<number, number>();
  for (const layer of adapter.coverage) {
    const others = adapter.coverage.filter((one) => one !== layer);
    values.set(layer, (await weigher.loss(keeping(input, others), `without ${layer}`, pieces)) - full);
    input.onPass?.(values.size + 1, total);
  }
  return ranked("nll", values, { samples: weigher.samples, layerTokens: total * weigher.layerTokens });
}

/** Drops the layers whose absence hurts least, again and again: the last to go is the most useful. */
async function greedy(step: number, input: RankInput): Promise<LayerRanking> {
  const { coverage } = input.inputs.adapter;
  const weigher = await openWeigher(input, GREEDY_SAMPLES);
  const pieces = await layerPieces(input);
  const total = rankingPasses({ kind: "greedy", step }, coverage.length).passes;
  const dropped: number[] = [];
  let left = [...coverage];
  let done = 0;
  while (left.length > step) {
    const losses: { layer: number; loss: number }[] = [];
    for (const layer of left) {
      const others = left.filter((one) => one !== layer);
      losses.push({ layer, loss: await weigher.loss(keeping(input, others), `layers ${others.join(",")}`, pieces) });
      input.onPass?.(++done, total);
    }
    // Of equal ones the upper goes first.
    losses.sort((a, b) => a.loss - b.loss || b.layer - a.layer);
    const going = losses.slice(0, step).map(({ layer }) => layer);
    dropped.push(...going);
    left = left.filter((layer) => !going.includes(layer));
  }
  const layers = [...left, ...dropped.reverse()];
  return { by: "greedy", layers, values: [], samples: weigher.samples, layerTokens: done * weigher.layerTokens };
}

async function openWeigher({ likelihoods, ...input }: RankInput, most: number): Promise<ReferenceScorer> {
  const weigher = await ReferenceScorer.open({ ...input, file: likelihoods, seed: input.config.seed }, most);
  if (weigher) return weigher;
  throw new UsageError({
    what: "there is no reference to rank layers by",
    actual: "every reference of the selection is empty",
    expected: "references with at least one token",
    fix: "Use another ranking: top:N:norm, top:N:cka.",
  });
}

/** Pieces of single layers, of which any mask of layers can be put together. */
async function layerPieces(input: RankInput): Promise<Piece[]> {
  const { adapter } = input.inputs;
  const masks = adapter.coverage.map((layer) => keeping(input, [layer]));
  return writePieces(adapter, masks, input.pieces);
}

function keeping({ inputs: { adapter }, plan }: RankInput, layers: readonly number[]): Mask {
  return maskOf(adapter.modules, plan.layerCount, (layer) => (layers.includes(layer) ? 1 : 0));
}

function ranked(
  by: Ranking,
  values: ReadonlyMap<number, number>,
  rest: Pick<LayerRanking, "samples" | "layerTokens">,
): LayerRanking {
  const layers = [...values].sort(([a, left], [b, right]) => right - left || a - b);
  return { by, layers: layers.map(([layer]) => layer), values: layers.map(([, value]) => value), ...rest };
}
