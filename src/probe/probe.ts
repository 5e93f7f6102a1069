import { reading } from "../engine/layer-reader.js";
import { defined } from "../assert.js";
import { boundaryMask, type Mask } from "../adapter/mask.js";
import { layerSizes, updateSizes, type LayerUpdateSize } from "../adapter/update-size.js";
import { piecesOf, writePieces, type ScaledPiece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import type { LensReading } from "../engine/layer-reader.js";
import { withTemporaryFolder } from "../files/temporary-folder.js";
import type { SweepConfig } from "../sweep/config.js";
import type { SweepInputs } from "../sweep/inputs/inputs.js";
import { contextSizeFor, type SweepPlan } from "../sweep/plan.js";
import { withSession } from "../sweep/session.js";
import { measureCard, type LayerCard } from "./card.js";
import { layOut, type LaidOut, type ProbePlan, type ProbeSettings } from "./lay-out.js";
import {
  differenceCurve,
  FEWEST_FOR_INTERVAL,
  heightOfRise,
  kneeOfToken,
  layerCurves,
  LEAST_PROBABILITY,
  type Knee,
  type LayerCurve,
} from "./layer-curves.js";
import {
  importanceNotes,
  layerImportances,
  rankedLayers,
  type CkaPosition,
  type LayerImportance,
} from "../strategy/layer-importance.js";
import { ckaPrompts } from "../sweep/cka-prompts.js";
import { maskWithout } from "./leave-out.js";
import { leaveOutMetric } from "./leave-out-metric.js";

export interface ProbeHooks {
  /** Before the first pass. */
  readonly onPlan?: (plan: ProbePlan) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
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
  /** Whether the reference's first token becomes probable at all, 0-1: the highest mean of its curve, and what it must reach. */
  readonly training: { readonly highest: number; readonly least: number; readonly underTrained: boolean };
  /** For each token where its curve begins to rise; null where it does not, or stays below what it must reach. */
  readonly knees: readonly (Knee | null)[];
  /** [B] 3.2: the probability of the most probable token. */
  readonly confidence: readonly BoundaryCurves[];
  /** [B] 6.2: the reference's first token, boundary minus full. */
  readonly differences: readonly { readonly boundary: number; readonly curve: LayerCurve }[];
  /** [C]: on the base model, and the token at which it was read. */
  readonly importances?: readonly LayerImportance[];
  readonly ckaPosition?: CkaPosition;
  /** Of the adapter's file; it takes no pass. */
  readonly updates?: readonly LayerUpdateSize[];
  /** Layers that have an importance, from the most important. */
  readonly ranking?: readonly number[];
  readonly card?: LayerCard;
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

type PiecesFor = (mask: Mask) => readonly ScaledPiece[];

/** Pieces of which the masks of all boundaries can be put together, and those without any of the layers. */
async function withPieces<T>(
  { adapter }: SweepInputs,
  { layerCount }: SweepPlan,
  use: (piecesFor: PiecesFor) => Promise<T>,
): Promise<T> {
  const boundaries = Array.from({ length: layerCount + 1 }, (_, boundary) =>
    boundaryMask(adapter.modules, layerCount, boundary),
  );
  const leftOut = adapter.coverage.map((layer) => maskWithout(adapter, [layer]));
  return withTemporaryFolder("probe", async (folder) => {
    const pieces = await writePieces(adapter, [...boundaries, ...leftOut], folder);
    return use((mask) => piecesOf(mask, pieces));
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
  const { settings, engine, config, hooks, inputs } = measuring;
  let done = 0;
  const advance = (samples: number): void => {
    done += samples;
    hooks.onProgress?.(Math.min(done, cost.passes * cost.samples), cost.passes * cost.samples);
  };
  const readings = new Map<number, LensReading[]>();
  for (const boundary of [plan.layerCount, ...settings.confidence, ...settings.difference]) {
    if (readings.has(boundary)) continue;
    const found: LensReading[] = [];
    const pieces = measuring.piecesFor(boundaryMask(inputs.adapter.modules, plan.layerCount, boundary));
    await reading(engine, "lens").lens({ pieces, context, prompts }, (reading) => {
      found.push(reading);
      advance(1);
    });
    readings.set(boundary, found);
  }
  const of = (boundary: number): LensReading[] => defined(readings.get(boundary), `readings of K=${boundary}`);
  const full = of(plan.layerCount);
  const resampling = { seed: config.seed };
  const truth = layerCurves(full, "truth", settings.tokens, resampling);
  const training = trainingOf(truth);
  const knees = truth.map(({ token }) => kneeOfToken(full, token - 1, settings.knee, resampling) ?? null);
  const importances = settings.cka ? await importancesOf(laidOut, measuring, settings.cka) : undefined;
  if (importances) advance(cost.samples);
  const card = await cardOf(laidOut, measuring, advance);
  const differences = settings.difference.flatMap((boundary) => {
    const curve = differenceCurve(of(boundary), full, 0, resampling);
    return curve ? [{ boundary, curve }] : [];
  });
  return {
    layers: plan.layerCount,
    samples: prompts.length,
    plan: cost,
    truth,
    training,
    knees,
    confidence: settings.confidence.map((boundary) => ({
      boundary,
      curves: layerCurves(of(boundary), "highest", settings.tokens, resampling),
    })),
    differences,
    ...(settings.norms ? { updates: layerSizes(await updateSizes(inputs.adapter, inputs.model.path)) } : {}),
    ...(importances && settings.cka
      ? { importances, ckaPosition: settings.cka, ranking: rankedLayers(importances) }
      : {}),
    ...(card ? { card } : {}),
    notes: [
      ...laidOut.notes,
      ...(importances && settings.cka ? importanceNotes(importances, settings.cka) : []),
      ...kneeNotes(truth, knees),
      ...trainingNotes(training, knees, differences),
    ],
  };
}

async function cardOf(
  { card, context, cost }: LaidOut,
  { engine, config, inputs, piecesFor, hooks }: Measuring,
  advance: (samples: number) => void,
): Promise<LayerCard | undefined> {
  if (!card) return undefined;
  const { model, adapter } = inputs;
  const { prompts } = card;
  const onPass = (): void => {
    advance(cost.samples);
  };
  const run = {
    engine,
    model,
    adapter,
    prompts,
    context,
    seed: config.seed,
    signal: hooks.signal,
    piecesOf: piecesFor,
    onPass,
  };
  const onAnswer = (): void => {
    advance(1);
  };
  return measureCard(run, card.plan, () => leaveOutMetric({ engine, config, inputs, signal: hooks.signal, onAnswer }));
}

function trainingOf(truth: readonly LayerCurve[]): ProbeResult["training"] {
  const highest = heightOfRise((truth[0]?.points ?? []).map(({ mean }) => mean));
  return { highest, least: LEAST_PROBABILITY, underTrained: highest < LEAST_PROBABILITY };
}

/** Why knees have no interval, where they have none. */
function kneeNotes(truth: readonly LayerCurve[], knees: readonly (Knee | null)[]): string[] {
  const without = truth.filter((_, i) => knees[i] && !knees[i].interval);
  if (without.length === 0) return [];
  const tokens = without.map(({ token, samples }) => `token ${token} (${samples})`).join(", ");
  return [
    `Knees of fewer than ${FEWEST_FOR_INTERVAL} samples have no interval, as none holds what it promises there: ${tokens}.`,
  ];
}

/** [B] section 8: an adapter that was trained too little has no boundary below L. */
function trainingNotes(
  { highest, least, underTrained }: ProbeResult["training"],
  knees: readonly (Knee | null)[],
  differences: ProbeResult["differences"],
): string[] {
  const [first = null] = knees;
  const percent = (value: number): string => `${Number((100 * value).toPrecision(2))} %`;
  const base = differences.find(({ boundary }) => boundary === 0)?.curve.points.at(-1);
  const gainsNothing = base !== undefined && base.high >= 0;
  return [
    ...(underTrained
      ? [
          `The reference's first token reaches a mean probability of ${percent(highest)} after any layer, below ${percent(least)}: at most one sample in ten could answer with it. The adapter looks under-trained for this task; keep all layers, K = L ([B] section 8).`,
        ]
      : []),
    ...(first === null && !underTrained
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

async function importancesOf(
  { plan, context }: LaidOut,
  { engine, inputs }: Measuring,
  position: CkaPosition,
): Promise<LayerImportance[]> {
  const prompts = await ckaPrompts(engine, inputs, plan.selection, position);
  const longest = Math.max(...prompts.map(({ tokens }) => tokens.length));
  const contextSize = Math.max(context.contextSize, contextSizeFor(longest));
  return layerImportances(
    await reading(engine, "hiddenStates").hiddenStates({ pieces: [], context: { ...context, contextSize }, prompts }),
  );
}
