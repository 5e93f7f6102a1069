import { reading } from "../engine/layer-reader.js";
import { at } from "../assert.js";
import { openAdapter } from "../adapter/open-adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import type { Engine } from "../engine/engine.js";
import { resolveAdapterPath } from "../engine/resolve-model.js";
import { SampleError, UsageError } from "../errors.js";
import type { BaseInputs } from "../sweep/inputs/base-inputs.js";
import { continuedPrompts, type ContinuedPrompt } from "../sweep/ranking/continuations.js";
import { contextSizeFor } from "../sweep/plan.js";
import { withBaseSession } from "../sweep/session.js";
import { chooseLayers, type LayerChoice, type LayerWorth } from "./advice.js";
import { layersWanted, type AdviseConfig, type Objective, type Yardstick } from "./advise-config.js";
import { measureBase, type BaseRow } from "./card.js";
import { planCard, type CardCost, type CardPlan } from "./card-plan.js";
import type { CardRun } from "./card-run.js";

import {
  ckaRankings,
  FEWEST_FOR_CKA,
  importanceNotes,
  isCkaRanking,
  layerImportances,
  type LayerImportance,
} from "../strategy/layer-importance.js";
import { ckaPrompts, type CkaPrompt } from "../sweep/cka-prompts.js";
import { trainingSnippets, type TrainingSnippets, type TrainingTarget } from "./training-snippets.js";

/** Tokens in one call of llama_decode. */
const BATCH_SIZE = 512;
/** Rank and alpha where no adapter says them: a usual start. */
const USUAL = { rank: 16, alpha: 32 } as const;

/** How a caller follows advice being worked out. */
export interface AdviseHooks {
  readonly onPlan?: (plan: AdvicePlan) => void;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** What advice would cost. */
export interface AdvicePlan {
  readonly samples: number;
  /** Passes of the base model over all samples. */
  readonly passes: number;
  /** Tokens of prompts and references in one pass. */
  readonly tokens: number;
  readonly costs: readonly (CardCost | { readonly part: "cka"; readonly passes: number })[];
}

/** Which layers to adapt in the next training run, why, and how to tell a trainer. */
export interface Advice {
  readonly architecture: string;
  readonly layerCount: number;
  readonly samples: number;
  readonly objective: Objective;
  readonly by: Yardstick;
  readonly choice: LayerChoice;
  readonly plan: AdvicePlan;
  /** What was measured of every layer of the base model. */
  readonly rows: readonly BaseRow[];
  /** [C], where layers are ranked by it. */
  readonly importances?: readonly LayerImportance[];
  readonly snippets: TrainingSnippets;
  readonly notes: readonly string[];
}

/**
 * Measures a base model on a task and chooses the layers that the next training run is to adapt. No adapter is needed.
 * @throws UsageError for settings that contradict each other, too few samples or references without tokens; EngineError where hidden states
 * cannot be read; a BoundaryError for anything else a user can mend.
 */
export async function advise(config: AdviseConfig, hooks: AdviseHooks = {}): Promise<Advice> {
  return withBaseSession(config, hooks.signal, async (inputs, engine) => {
    const laidOut = await layOut(config, inputs, engine);
    const { plan, card, count, prompts, target } = laidOut;
    hooks.onPlan?.(plan);
    let done = 0;
    const onPass = (): void => {
      hooks.onProgress?.(++done, plan.passes);
    };
    const run: CardRun = {
      engine,
      model: inputs.model,
      prompts,
      context: contextOf(prompts),
      seed: config.seed,
      signal: hooks.signal,
      onPass,
    };
    const importances = isCkaRanking(config.by) ? await importancesOf(run, await laidOut.ckaPrompts()) : undefined;
    const rows = await measureBase(run, card);
    const worths = importances ? worthsByImportance(rows, importances) : worthsByResidual(rows);
    const choice = chooseLayers(worths, config.objective, count);
    const { layerCount, architecture } = inputs.model;
    return {
      architecture,
      layerCount,
      samples: prompts.length,
      objective: config.objective,
      by: config.by,
      choice,
      plan,
      rows,
      ...(importances ? { importances } : {}),
      snippets: trainingSnippets({ ...target, architecture, layers: choice.layers.map(({ layer }) => layer) }),
      notes: [...laidOut.notes, ...doubts(choice, { rows, importances }, config)],
    };
  });
}

/** What {@link advise} would cost; nothing is measured. */
export async function planAdvice(config: AdviseConfig, hooks: AdviseHooks = {}): Promise<AdvicePlan> {
  return withBaseSession(config, hooks.signal, async (inputs, engine) => (await layOut(config, inputs, engine)).plan);
}

interface LaidOut {
  readonly count: number;
  readonly prompts: readonly ContinuedPrompt[];
  /** The same samples as CKA reads them. */
  readonly ckaPrompts: () => Promise<readonly CkaPrompt[]>;
  readonly card: CardPlan;
  readonly plan: AdvicePlan;
  readonly target: Pick<TrainingTarget, "modules" | "rank" | "alpha">;
  readonly notes: readonly string[];
}

async function layOut(config: AdviseConfig, inputs: BaseInputs, engine: Engine): Promise<LaidOut> {
  const { model } = inputs;
  const count = layersWanted(config, model.layerCount);
  const target = await targetOf(config, model);
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const planned = inputs.samples.map(({ part, sample }, i) => ({
    part,
    sample,
    prompt: { id: sample.id, tokens: at(tokens, i) },
  }));
  const all = await continuedPrompts(engine, inputs, planned);
  const prompts = fitting(all, config, inputs);
  assertEnough(prompts, config);
  const { by } = config;
  const read = new Set(prompts.map(({ id }) => id));
  const parts = by === "card" ? (["gradient"] as const) : [];
  const card = planCard({ parts, pairs: "adjacent", directions: config.directions }, model.layerCount, undefined);
  const costs = [...(isCkaRanking(by) ? [{ part: "cka", passes: 1 } as const] : []), ...card.costs];
  const [blank, long] = [planned.length - all.length, all.length - prompts.length];
  return {
    count,
    prompts,
    ckaPrompts: () =>
      isCkaRanking(by)
        ? ckaPrompts(
            engine,
            inputs,
            planned.filter(({ sample }) => read.has(sample.id)),
            ckaRankings[by],
          )
        : Promise.resolve([]),
    card,
    target,
    plan: {
      samples: prompts.length,
      passes: costs.reduce((sum, { passes }) => sum + passes, 0),
      tokens: prompts.reduce((sum, prompt) => sum + prompt.tokens.length + prompt.continuation.length - 1, 0),
      costs,
    },
    notes: [
      ...inputs.data.notes,
      ...(blank > 0 ? [`${blank} samples have no reference with a token and are left out.`] : []),
      ...(long > 0 ? [`${long} samples do not fit the context and are left out.`] : []),
    ],
  };
}

/** The adapter is only looked at: nothing of it is loaded. */
async function targetOf({ adapter: path }: AdviseConfig, model: BaseModel): Promise<LaidOut["target"]> {
  if (path === undefined) return { modules: undefined, ...USUAL };
  const { adapter, close } = await openAdapter(await resolveAdapterPath(path), model);
  await close();
  const modules = [...new Set(adapter.modules.flatMap(({ layer, module }) => (layer === undefined ? [] : [module])))];
  return { modules, rank: Math.max(...adapter.modules.map(({ rank }) => rank)), alpha: adapter.alpha };
}

function fitting(
  prompts: readonly ContinuedPrompt[],
  config: AdviseConfig,
  { model, data }: BaseInputs,
): readonly ContinuedPrompt[] {
  const limit = config.contextSize ?? model.trainContextSize;
  const fits = ({ tokens, continuation }: ContinuedPrompt): boolean => tokens.length + continuation.length < limit;
  const misfit = prompts.find((prompt) => !fits(prompt));
  if (!misfit || config.onOverflow === "skip") return prompts.filter(fits);
  throw new SampleError(
    { path: data.path, sampleId: misfit.id },
    {
      what: `sample ${misfit.id} does not fit the context with its reference`,
      actual: `${misfit.tokens.length + misfit.continuation.length} tokens`,
      expected: `fewer than ${limit}`,
      fix: "Pass --on-overflow skip to leave such samples out.",
    },
  );
}

function assertEnough(prompts: readonly ContinuedPrompt[], { by }: AdviseConfig): void {
  const fewest = isCkaRanking(by) ? FEWEST_FOR_CKA : 1;
  if (prompts.length >= fewest) return;
  throw new UsageError({
    what: "there are too few samples with a reference",
    actual: `${prompts.length} samples`,
    expected: isCkaRanking(by) ? `at least ${fewest}: with fewer, any two layers look alike` : "at least one",
    fix: "Give more samples.",
  });
}

function contextOf(prompts: readonly ContinuedPrompt[]): CardRun["context"] {
  const longest = Math.max(...prompts.map(({ tokens, continuation }) => tokens.length + continuation.length));
  return {
    sequences: 1,
    contextSize: contextSizeFor(longest),
    batchSize: BATCH_SIZE,
    cacheType: "F16",
    flashAttention: "auto",
  };
}

async function importancesOf(
  { engine, context, onPass }: CardRun,
  prompts: readonly CkaPrompt[],
): Promise<LayerImportance[]> {
  const contextSize = contextSizeFor(Math.max(...prompts.map(({ tokens }) => tokens.length)));
  const states = await reading(engine, "hiddenStates").hiddenStates({
    pieces: [],
    context: { ...context, contextSize },
    prompts,
  });
  onPass();
  return layerImportances(states);
}

function worthsByImportance(rows: readonly BaseRow[], importances: readonly LayerImportance[]): LayerWorth[] {
  return rows.map(({ layer, microsecondsPerToken: time }) => {
    const { plain } = at(importances, layer);
    const words =
      plain === null ? "no importance: its input does not vary" : `importance (1 - CKA) ${plain.toFixed(4)}`;
    return { layer, worth: plain ?? 0, time, words };
  });
}

/** [P]: where layers are coupled weakly, what they can correct adds up by the squares of their norms. */
function worthsByResidual(rows: readonly BaseRow[]): LayerWorth[] {
  return rows.map(({ layer, microsecondsPerToken: time, residual }) => {
    const { norm = Number.NaN, standardError = Number.NaN } = residual ?? {};
    const words = `projected residual norm ${norm.toPrecision(3)} ± ${standardError.toPrecision(2)}`;
    return { layer, worth: norm ** 2, time, words };
  });
}

/** What makes the choice less sure than it looks. */
function doubts(
  { layers }: LayerChoice,
  { rows, importances }: { readonly rows: readonly BaseRow[]; readonly importances: Advice["importances"] },
  { by, objective }: AdviseConfig,
): string[] {
  if (isCkaRanking(by)) return importanceNotes(importances ?? [], ckaRankings[by]);
  if (objective === "inference") return [];
  const chosen = new Set(layers.map(({ layer }) => layer));
  const norms = (of: boolean): NonNullable<BaseRow["residual"]>[] =>
    rows.flatMap(({ layer, residual }) => (residual && chosen.has(layer) === of ? [residual] : []));
  const least = norms(true).sort((a, b) => a.norm - b.norm)[0];
  const most = norms(false).sort((a, b) => b.norm - a.norm)[0];
  if (!least || !most || least.norm - most.norm > Math.hypot(least.standardError, most.standardError)) return [];
  return [
    "The last layer that was taken and the first that was not differ by less than the standard error of their difference: more --directions or samples may choose otherwise.",
  ];
}
