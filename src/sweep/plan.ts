import { gib } from "../files/gib.js";
import { at } from "../assert.js";
import { digest } from "../files/digest.js";
import { boundaryCandidates, maskCandidates, maskKey, type Candidate } from "../adapter/mask.js";
import type { BaseModel } from "../adapter/base-model.js";
import { contextBytes, type ModelMemory } from "../adapter/model-memory.js";
import { UNBOUNDED, isBatchInvariant, type EngineInfo, type Prompt, type Shortcuts } from "../engine/engine.js";
import { type ContextShape } from "../engine/layer-passes.js";
import { availableMemory } from "../engine/machine.js";
import { MemoryError, SampleError, UsageError } from "../errors.js";
import type { Sample } from "../samples/sample.js";
import { isRanking } from "../strategy/strategy.js";
import { strategyMasks } from "../strategy/strategy-masks.js";
import type { SweepConfig } from "./config.js";
import type { SweepInputs } from "./inputs/inputs.js";
import type { Part } from "../samples/split.js";

/** A sample ready for the engine. */
export interface PlannedSample {
  readonly part: Part;
  readonly sample: Sample;
  readonly prompt: Prompt;
}

/** Settings that decide which tokens come out, besides the prompts and the mask. */
export interface GenerationSettings {
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly context: ContextShape;
  /**
   * Answers share decode steps up to so many tokens of prompt and answer. Below {@link UNBOUNDED} each answer is what a single run gives,
   * whatever was computed beside it; otherwise near-ties may fall by the company.
   */
  readonly invariantTokens: number;
}

/** What a sweep will do: pure data. */
export interface SweepPlan {
  readonly layerCount: number;
  /** How its masks were chosen, as it was written. */
  readonly strategy: string;
  /** False while the layers still have to be ranked: until then the candidates only stand for as many others. */
  readonly isRanked: boolean;
  readonly candidates: readonly Candidate[];
  /** K=0 and K=L: they are confirmed beside the chosen one even when they were not asked for. */
  readonly base: Candidate;
  readonly full: Candidate;
  readonly selection: readonly PlannedSample[];
  readonly holdout: readonly PlannedSample[];
  readonly skipped: readonly { readonly id: string; readonly part: Part; readonly promptTokens: number }[];
  readonly generation: GenerationSettings;
  /** Hash of everything besides mask and prompts that decides which tokens come out. */
  readonly generationKey: string;
  /** Hash of everything besides mask and texts that decides how probable a continuation is. */
  readonly likelihoodKey: string;
  /** What may be computed at once or left out. */
  readonly shortcuts: Shortcuts;
}

/** A group of samples that is generated for at once; its composition is part of the key of each of its answers. */
export interface Wave {
  readonly candidate: Candidate;
  readonly samples: readonly PlannedSample[];
  /** Journal keys of the answers, in the order of the samples. */
  readonly keys: readonly string[];
}

/** Tokens in one llama_decode call: node-llama-cpp's own default, so that long prompts are cut at the same places as anywhere else. */
const BATCH_SIZE = 512;
/**
 * Samples at once where the user does not say. On a CPU these are as many as two cores make use of, where batches change no answer, else
 * one; on a GPU near-ties may fall by the company.
 */
const AUTO_SEQUENCES = { cpu: 16, gpu: 8 } as const;
/** Share of the memory that is free which the key/value cache may take where the number of sequences is ours to choose. */
const CACHE_SHARE = 0.25;
/** The engine pads context sizes to this many tokens. */
const CONTEXT_STEP = 256;

/** Size of a context for so many tokens. One more than needed: the engine shifts the context before its last place is taken. */
export function contextSizeFor(tokens: number): number {
  return Math.ceil((tokens + 1) / CONTEXT_STEP) * CONTEXT_STEP;
}

/** A plan for an engine of which it is not known yet what it may compute at once. */
export interface SweepLayout extends Omit<SweepPlan, "generation" | "generationKey" | "likelihoodKey" | "shortcuts"> {
  /** The widest context that the sweep may take. */
  readonly context: ContextShape;
  /** The same sweep on an engine with these shortcuts. @throws MemoryError when its context cannot fit into memory. */
  readonly withShortcuts: (shortcuts: Shortcuts) => SweepPlan;
}

/**
 * Lays out a sweep.
 * @param tokens token ids of each sample's prompt, in the order of `inputs.samples`.
 * @throws SampleError when a prompt does not fit the context (and `--on-overflow fail`) or no sample is left; UsageError for a context
 * that is too small.
 */
export function layOutSweep(
  config: SweepConfig,
  inputs: SweepInputs,
  info: EngineInfo,
  tokens: readonly (readonly number[])[],
): SweepLayout {
  const { model, adapter, task } = inputs;
  const maxTokens = config.maxTokens ?? task.maxTokens;
  const all = inputs.samples.map(({ part, sample }, i): PlannedSample => {
    return { part, sample, prompt: { id: sample.id, tokens: at(tokens, i) } };
  });
  const limit = contextLimit(config, model.trainContextSize);
  const fits = ({ prompt }: PlannedSample): boolean => prompt.tokens.length + maxTokens <= limit;
  const overflowing = all.filter((planned) => !fits(planned));
  if (overflowing.length > 0 && config.onOverflow === "fail")
    throw overflowError(overflowing, maxTokens, limit, inputs);
  const planned = all.filter(fits);
  const selection = planned.filter(({ part }) => part === "selection");
  const holdout = planned.filter(({ part }) => part === "holdout");
  if (selection.length === 0) {
    throw new SampleError(
      { path: config.data },
      { what: "no sample is left for the selection", fix: "Use more samples, or a smaller --holdout." },
    );
  }
  const context = contextShape(config, inputs, planned, maxTokens, info.backend);
  const samples = {
    layerCount: model.layerCount,
    strategy: inputs.strategyText,
    ...candidatesOf(inputs),
    selection,
    holdout,
    skipped: overflowing.map(({ part, prompt }) => ({ id: prompt.id, part, promptTokens: prompt.tokens.length })),
  };
  const withShortcuts = (shortcuts: Shortcuts): SweepPlan => {
    const invariantTokens = cellsInBatches(config, info.backend, shortcuts);
    const isSingle = invariantTokens === 0 && !shortcuts.sharedLayers;
    const generation: GenerationSettings = {
      maxTokens,
      stop: inputs.stop,
      context: isSingle ? { ...context, sequences: 1 } : context,
      invariantTokens,
    };
    assertMemory(model, generation.context);
    const asked = {
      adapter: adapter.sha256,
      engine: { ...info, devices: [...info.devices] },
      model: model.sha256,
    };
    return {
      ...samples,
      generation,
      generationKey: hash({ ...asked, generation: decidingSettings(generation, model) }),
      likelihoodKey: hash({ ...asked, context: decidingShape(generation.context, model) }),
      shortcuts,
    };
  };
  return { ...samples, context, withShortcuts };
}

type RopeOfModel = Pick<BaseModel, "shortContextSize">;

/** The settings that decide which tokens come out: how many samples go at once is one of them only where company counts. */
export function decidingSettings(generation: GenerationSettings, model: RopeOfModel): object {
  const { invariantTokens, ...rest } = generation;
  const { sequences } = generation.context;
  const context = decidingShape(generation.context, model);
  return isBatchInvariant(generation)
    ? { ...rest, context, alone: true }
    : { ...rest, context: { ...context, sequences }, batchedCells: invariantTokens };
}

/** What of a context decides what is computed in it: of its size, at most which of a model's two sets of rope factors is taken. */
function decidingShape(
  { contextSize, sequences: _, ...shape }: ContextShape,
  { shortContextSize }: RopeOfModel,
): object {
  return { ...shape, ...(shortContextSize === undefined ? {} : { isLong: contextSize > shortContextSize }) };
}

function cellsInBatches(
  { sequences, fixedBatch }: SweepConfig,
  backend: EngineInfo["backend"],
  shortcuts: Shortcuts,
): number {
  if (fixedBatch) return 0;
  if (sequences !== "auto") return sequences === 1 ? shortcuts.invariantTokens : UNBOUNDED;
  return backend === "cpu" ? shortcuts.invariantTokens : UNBOUNDED;
}

/** The waves in which a candidate answers these samples, always cut in the same way. */
export function cutWaves(plan: SweepPlan, candidate: Candidate, samples: readonly PlannedSample[]): Wave[] {
  const { sequences } = plan.generation.context;
  const waves: Wave[] = [];
  for (let start = 0; start < samples.length; start += sequences) {
    const group = samples.slice(start, start + sequences);
    const mask = maskKey(candidate.mask);
    const together = group.map(({ prompt }) => prompt.tokens);
    waves.push({
      candidate,
      samples: group,
      keys: group.map(({ part, prompt }, place) => {
        const company = isBatchInvariant(plan.generation) ? [prompt.tokens] : [together, place];
        return hash([plan.generationKey, mask, company, part, prompt.id]);
      }),
    });
  }
  return waves;
}

/** SHA-256 of a value's JSON, lower-case hex. */
export function hash(value: unknown): string {
  return digest(JSON.stringify(value));
}

/** Most tokens of prompt and answer together; the engine needs one place more than a context of a given size offers. */
function contextLimit(config: SweepConfig, trainContextSize: number): number {
  return config.contextSize === undefined ? trainContextSize : config.contextSize - 1;
}

/**
 * The masks that are tried.
 * @param order layers from the most useful, where the strategy ranks them; without it, others stand in for them.
 */
export function candidatesOf(
  inputs: SweepInputs,
  order?: readonly number[],
): Pick<SweepPlan, "isRanked" | "candidates" | "base" | "full"> {
  const { adapter, model, strategy, boundaries, masksFromFile } = inputs;
  if (strategy.kind === "prefix") {
    const [base, full] = [0, model.layerCount].map((boundary) => oneCandidate(inputs, boundary));
    if (!base || !full) throw new RangeError("a model has at least one layer");
    return { isRanked: true, candidates: boundaryCandidates(adapter, model.layerCount, boundaries), base, full };
  }
  const source = {
    adapter,
    layerCount: model.layerCount,
    boundaries,
    order: order ?? adapter.coverage,
    fromFile: masksFromFile,
  };
  const candidates = maskCandidates(adapter, strategyMasks(strategy, source));
  const [base, full] = [candidates[0], candidates.at(-1)];
  if (!base || !full) throw new RangeError("base and full are always among the masks");
  return { isRanked: order !== undefined || !isRanking(strategy), candidates, base, full };
}

function oneCandidate(inputs: SweepInputs, boundary: number): Candidate | undefined {
  const { adapter, model, boundaries } = inputs;
  const wanted = [...boundaries, boundary];
  return boundaryCandidates(adapter, model.layerCount, wanted).find((candidate) =>
    candidate.boundaries.includes(boundary),
  );
}

function contextShape(
  config: SweepConfig,
  { model }: SweepInputs,
  planned: readonly PlannedSample[],
  maxTokens: number,
  backend: EngineInfo["backend"],
): ContextShape {
  const longest = Math.max(0, ...planned.map(({ prompt }) => prompt.tokens.length));
  const largestPart = Math.max(
    ...(["selection", "holdout"] as const).map((part) => planned.filter((p) => p.part === part).length),
  );
  const contextSize = config.contextSize ?? contextSizeFor(longest + maxTokens);
  const fitting = Math.floor((CACHE_SHARE * availableMemory()) / contextBytes(model, { sequences: 1, contextSize }));
  const automatic = backend === "cpu" ? Math.max(1, Math.min(AUTO_SEQUENCES.cpu, fitting)) : AUTO_SEQUENCES.gpu;
  const wanted = config.sequences === "auto" ? automatic : config.sequences;
  const sequences = Math.min(wanted, Math.max(1, largestPart));
  return {
    sequences,
    contextSize,
    batchSize: Math.max(BATCH_SIZE, sequences),
    cacheType: "F16",
    flashAttention: "auto",
  };
}

export function assertMemory(model: ModelMemory, { sequences, contextSize }: ContextShape): void {
  const required = contextBytes(model, { sequences, contextSize });
  const available = availableMemory();
  if (required <= available) return;
  const fitting = Math.floor(available / contextBytes(model, { sequences: 1, contextSize }));
  throw new MemoryError(
    {
      what: "not enough memory for the context",
      actual: `${gib(available)} available`,
      expected: `${gib(required)} for the memory of ${sequences} sequences of ${contextSize} tokens`,
      fix:
        fitting >= 1
          ? `Pass --sequences ${fitting}.`
          : "Use shorter prompts (--context-size with --on-overflow skip), or another machine.",
    },
    required,
    available,
  );
}

function overflowError(
  overflowing: readonly PlannedSample[],
  maxTokens: number,
  limit: number,
  { data }: SweepInputs,
): Error {
  const first = overflowing[0];
  if (!first) throw new RangeError("nothing overflows");
  const others = overflowing.length > 1 ? `, and ${overflowing.length - 1} more` : "";
  if (maxTokens >= limit) {
    return new UsageError({
      what: "the context is too small for any answer",
      actual: `${limit} tokens with --max-tokens ${maxTokens}`,
      fix: "Pass a larger --context-size, or fewer --max-tokens.",
    });
  }
  return new SampleError(
    { path: data.path, sampleId: first.prompt.id },
    {
      what: `the prompt of sample ${first.prompt.id} does not fit the context`,
      actual: `${first.prompt.tokens.length} tokens${others}`,
      expected: `at most ${limit - maxTokens} (a context of ${limit} less ${maxTokens} for the answer)`,
      fix: "Pass a larger --context-size, or --on-overflow skip to leave such samples out.",
    },
  );
}
