import { boundaryCandidates } from "../adapter/mask.js";
import { layerSizes, updateSizes, type LayerUpdateSize } from "../adapter/update-size.js";
import { piecesOf, writePieces, type ScaledPiece } from "../adapter/pieces.js";
import type { ContextShape, Engine, LensReading } from "../engine/engine.js";
import { UsageError } from "../errors.js";
import { withTemporaryFolder } from "../formats/temporary-folder.js";
import type { SweepConfig } from "../sweep/config.js";
import { continuedPrompts, type ContinuedPrompt } from "../sweep/continuations.js";
import type { SweepInputs } from "../sweep/inputs.js";
import { contextSizeFor, planSweep, type SweepPlan } from "../sweep/plan.js";
import { noShortcuts } from "../sweep/shortcuts.js";
import { withSession } from "../sweep/session.js";
import type { KneeMethod } from "./knee.js";
import { differenceCurve, kneeOfToken, layerCurves, type Knee, type LayerCurve } from "./layer-curves.js";
import { FEWEST_FOR_CKA, layerImportances, rankedLayers, type LayerImportance } from "../strategy/layer-importance.js";

/** What is to be measured. */
export interface ProbeSettings {
  /** First tokens of the references that have a curve each. */
  readonly tokens: number;
  readonly knee: KneeMethod;
  /** Boundaries whose most probable token is followed beside the full adapter's. */
  readonly confidence: readonly number[];
  /** Boundaries whose difference to the full adapter is shown. */
  readonly difference: readonly number[];
  readonly cka: boolean;
  /** How large each layer's update is. */
  readonly norms: boolean;
}

export interface ProbeHooks {
  /** Before the first pass. */
  readonly onPlan?: (plan: ProbePlan) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What a probe would cost. */
export interface ProbePlan {
  readonly samples: number;
  /** Passes over all samples: one for the full adapter, one for each other boundary, one of the base for CKA. */
  readonly passes: number;
  /** Tokens of prompts and references in one pass. */
  readonly tokens: number;
}

/** A boundary's curves beside those of the full adapter. */
export interface BoundaryCurves {
  readonly boundary: number;
  readonly curves: readonly LayerCurve[];
}

/** Everything that a probe measured. Probabilities are 0-1. */
export interface ProbeResult {
  readonly layers: number;
  readonly samples: number;
  readonly plan: ProbePlan;
  /** [B] 3.1: the probability of the reference's tokens after each layer, under the full adapter. */
  readonly truth: readonly LayerCurve[];
  /** For each token where its curve begins to rise; null where it does not. */
  readonly knees: readonly (Knee | null)[];
  /** [B] 3.2: the probability of the most probable token. */
  readonly confidence: readonly BoundaryCurves[];
  /** [B] 6.2: the reference's first token, boundary minus full. */
  readonly differences: readonly { readonly boundary: number; readonly curve: LayerCurve }[];
  /** [C]: on the base model. */
  readonly importances?: readonly LayerImportance[];
  /** Of the adapter's file; it takes no pass. */
  readonly updates?: readonly LayerUpdateSize[];
  /** Layers from the most important. */
  readonly ranking?: readonly number[];
  readonly notes: readonly string[];
}

/**
 * Looks into the model instead of at its answers: [B]'s curves on the selection part of the samples, and [C]'s layer importance.
 * @throws UsageError for too few samples or references without tokens; EngineError where hidden states cannot be read; a BoundaryError for
 * anything else a user can mend.
 */
export async function probe(
  config: SweepConfig,
  settings: ProbeSettings,
  hooks: ProbeHooks = {},
): Promise<ProbeResult> {
  return withSession(config, hooks.signal, async (inputs, engine) => {
    const laidOut = await layOut(config, settings, inputs, engine);
    hooks.onPlan?.(laidOut.cost);
    return withPieces(inputs, laidOut.plan, (piecesFor) =>
      measure(laidOut, { settings, engine, piecesFor, inputs, config, hooks }),
    );
  });
}

/** What {@link probe} would cost; nothing is measured. */
export async function planProbe(
  config: SweepConfig,
  settings: ProbeSettings,
  hooks: ProbeHooks = {},
): Promise<ProbePlan> {
  return withSession(
    config,
    hooks.signal,
    async (inputs, engine) => (await layOut(config, settings, inputs, engine)).cost,
  );
}

interface LaidOut {
  readonly plan: SweepPlan;
  readonly prompts: readonly ContinuedPrompt[];
  readonly context: ContextShape;
  readonly cost: ProbePlan;
  readonly notes: readonly string[];
}

async function layOut(
  config: SweepConfig,
  settings: ProbeSettings,
  inputs: SweepInputs,
  engine: Engine,
): Promise<LaidOut> {
  assertBoundaries(settings, inputs.model.layerCount);
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const plan = planSweep(config, inputs, engine.info, tokens, noShortcuts("a probe generates nothing"));
  const whole = await continuedPrompts(engine, inputs, plan.selection);
  const prompts = whole.map((prompt) => ({ ...prompt, continuation: prompt.continuation.slice(0, settings.tokens) }));
  if (prompts.length === 0) {
    throw new UsageError({
      what: "there is no reference to look for",
      actual: `${plan.selection.length} samples, none of whose references has a token`,
      expected: "references with at least one token",
    });
  }
  if (settings.cka && plan.selection.length < FEWEST_FOR_CKA) {
    throw new UsageError({
      what: "there are too few samples for --cka",
      actual: `${plan.selection.length} samples`,
      expected: `at least ${FEWEST_FOR_CKA}: with fewer, any two layers look alike`,
      fix: "Give more samples, or a smaller --holdout.",
    });
  }
  const others = new Set([...settings.confidence, ...settings.difference]);
  others.delete(plan.layerCount);
  const longest = Math.max(...prompts.map((prompt) => prompt.tokens.length + prompt.continuation.length));
  return {
    plan,
    prompts,
    context: {
      ...plan.generation.context,
      sequences: 1,
      contextSize: contextSizeFor(longest),
    },
    cost: {
      samples: prompts.length,
      passes: 1 + others.size + (settings.cka ? 1 : 0),
      tokens: prompts.reduce((sum, prompt) => sum + prompt.tokens.length + prompt.continuation.length - 1, 0),
    },
    notes: notesOf(plan, prompts, settings),
  };
}

function assertBoundaries({ confidence, difference }: ProbeSettings, layerCount: number): void {
  for (const boundary of [...confidence, ...difference]) {
    if (Number.isInteger(boundary) && boundary >= 0 && boundary <= layerCount) continue;
    throw new UsageError({
      what: "there is no such boundary",
      actual: String(boundary),
      expected: `a whole number from 0 to ${layerCount}`,
    });
  }
}

function notesOf({ selection }: SweepPlan, prompts: readonly ContinuedPrompt[], { tokens }: ProbeSettings): string[] {
  const without = selection.length - prompts.length;
  const short = prompts.filter(({ continuation }) => continuation.length < tokens).length;
  return [
    ...(without > 0 ? [`${without} samples have no reference with a token and are left out.`] : []),
    ...(short > 0
      ? [`${short} references have fewer than ${tokens} tokens: the curves of later tokens rest on fewer samples.`]
      : []),
  ];
}

type PiecesFor = (boundary: number) => readonly ScaledPiece[];

async function withPieces<T>(
  inputs: SweepInputs,
  plan: SweepPlan,
  use: (piecesFor: PiecesFor) => Promise<T>,
): Promise<T> {
  const { adapter } = inputs;
  const every = Array.from({ length: plan.layerCount + 1 }, (_, boundary) => boundary);
  const candidates = boundaryCandidates(adapter, plan.layerCount, every);
  return withTemporaryFolder("probe", async (folder) => {
    const pieces = await writePieces(
      adapter,
      candidates.map(({ mask }) => mask),
      folder,
    );
    return use((boundary) => {
      const candidate = candidates.find(({ boundaries }) => boundaries.includes(boundary));
      if (!candidate) throw new RangeError(`no boundary ${boundary}`);
      return piecesOf(candidate.mask, pieces);
    });
  });
}

interface Measuring {
  readonly settings: ProbeSettings;
  readonly engine: Engine;
  readonly piecesFor: PiecesFor;
  readonly inputs: SweepInputs;
  readonly config: SweepConfig;
  readonly hooks: ProbeHooks;
}

async function measure(laidOut: LaidOut, measuring: Measuring): Promise<ProbeResult> {
  const { plan, prompts, context, cost } = laidOut;
  const { settings, engine, piecesFor, config, hooks } = measuring;
  let done = 0;
  const readings = new Map<number, LensReading[]>();
  for (const boundary of [plan.layerCount, ...settings.confidence, ...settings.difference]) {
    if (readings.has(boundary)) continue;
    const found: LensReading[] = [];
    await engine.lens({ pieces: piecesFor(boundary), context, prompts }, (reading) => {
      found.push(reading);
      hooks.onProgress?.(++done, cost.passes * cost.samples);
    });
    readings.set(boundary, found);
  }
  const of = (boundary: number): LensReading[] => readings.get(boundary) ?? [];
  const full = of(plan.layerCount);
  const resampling = { seed: config.seed };
  const truth = layerCurves(full, "truth", settings.tokens, resampling);
  const knees = truth.map(({ token }) => kneeOfToken(full, token - 1, settings.knee, resampling) ?? null);
  const importances = settings.cka ? await importancesOf(laidOut, measuring) : undefined;
  if (importances) hooks.onProgress?.(done + cost.samples, cost.passes * cost.samples);
  const differences = settings.difference.flatMap((boundary) => {
    const curve = differenceCurve(of(boundary), full, 0, resampling);
    return curve ? [{ boundary, curve }] : [];
  });
  return {
    layers: plan.layerCount,
    samples: prompts.length,
    plan: cost,
    truth,
    knees,
    confidence: settings.confidence.map((boundary) => ({
      boundary,
      curves: layerCurves(of(boundary), "highest", settings.tokens, resampling),
    })),
    differences,
    ...(settings.norms
      ? { updates: layerSizes(await updateSizes(measuring.inputs.adapter, measuring.inputs.model.path)) }
      : {}),
    ...(importances ? { importances, ranking: rankedLayers(importances) } : {}),
    notes: [...laidOut.notes, ...(importances ? importanceNotes(plan) : []), ...trainingNotes(knees, differences)],
  };
}

/** Embeddings of one and the same token do not vary, so CKA has nothing to compare below layer 0. */
function importanceNotes({ selection }: SweepPlan): string[] {
  const last = new Set(selection.map(({ prompt }) => prompt.tokens.at(-1)));
  return last.size === 1
    ? [
        "All prompts end in the same token, as chat templates make them: what layer 0 takes in does not vary, and its importance is 1 whatever it does.",
      ]
    : [];
}

/** [B] section 8: an adapter that was trained too little has no boundary below L. */
function trainingNotes(knees: readonly (Knee | null)[], differences: ProbeResult["differences"]): string[] {
  const [first = null] = knees;
  const base = differences.find(({ boundary }) => boundary === 0)?.curve.points.at(-1);
  const gainsNothing = base !== undefined && base.high >= 0;
  return [
    ...(first === null
      ? [
          "The reference's first token does not become more probable with the layers: there is no knee. The adapter looks under-trained for this task; expect K = L ([B] section 8).",
        ]
      : []),
    ...(gainsNothing
      ? [
          "At the last layer the full adapter finds the reference no more probable than the base model does: it looks under-trained; expect K = L ([B] section 8).",
        ]
      : []),
  ];
}

async function importancesOf({ plan, context }: LaidOut, { engine }: Measuring): Promise<LayerImportance[]> {
  const prompts = plan.selection.map(({ prompt }) => ({ ...prompt, positions: [prompt.tokens.length - 1] }));
  const longest = Math.max(...prompts.map(({ tokens }) => tokens.length));
  const contextSize = Math.max(context.contextSize, contextSizeFor(longest));
  return layerImportances(await engine.hiddenStates({ pieces: [], context: { ...context, contextSize }, prompts }));
}
