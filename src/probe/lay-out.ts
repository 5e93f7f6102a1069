import type { Engine } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { UsageError } from "../errors.js";
import type { SweepConfig } from "../sweep/config.js";
import { continuedPrompts, type ContinuedPrompt } from "../sweep/ranking/continuations.js";
import type { SweepInputs } from "../sweep/inputs/inputs.js";
import { contextSizeFor, layOutSweep, type SweepPlan } from "../sweep/plan.js";
import { noShortcuts } from "../sweep/shortcuts.js";
import { FEWEST_FOR_CKA, type CkaPosition } from "../strategy/layer-importance.js";
import { planCard, type CardCost, type CardPlan, type CardSettings } from "./card-plan.js";
import type { KneeMethod } from "./knee.js";

/** What is to be measured. */
export interface ProbeSettings {
  /** First tokens of the references that have a curve each. */
  readonly tokens: number;
  readonly knee: KneeMethod;
  /** Boundaries whose most probable token is followed beside the full adapter's. */
  readonly confidence: readonly number[];
  /** Boundaries whose difference to the full adapter is shown. */
  readonly difference: readonly number[];
  /** Where layer importance is read, if it is. */
  readonly cka: CkaPosition | undefined;
  /** How large each layer's update is. */
  readonly norms: boolean;
  readonly card?: CardSettings | undefined;
}

/** What a probe would cost. */
export interface ProbePlan {
  readonly samples: number;
  /** Passes over all samples: one for the full adapter, one for each other boundary, one of the base for CKA, and the card's. */
  readonly passes: number;
  /** Tokens of prompts and references in one pass. */
  readonly tokens: number;
  /** The card's passes by its parts; those of `metric` are of answers. */
  readonly card?: readonly CardCost[];
}

/** A probe, laid out. */
export interface LaidOut {
  readonly plan: SweepPlan;
  /** With the first tokens of their references, those that have a curve. */
  readonly prompts: readonly ContinuedPrompt[];
  /** One sequence that holds the longest of them, or of those with their whole references where there is a card. */
  readonly context: ContextShape;
  readonly cost: ProbePlan;
  readonly notes: readonly string[];
  /** With prompts that have their whole references. */
  readonly card: { readonly plan: CardPlan; readonly prompts: readonly ContinuedPrompt[] } | undefined;
}

/** @throws UsageError for boundaries that are not there, too few samples or references without tokens; what planning a sweep throws. */
export async function layOut(
  config: SweepConfig,
  settings: ProbeSettings,
  inputs: SweepInputs,
  engine: Engine,
): Promise<LaidOut> {
  assertBoundaries(settings, inputs.model.layerCount);
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const plan = layOutSweep(config, inputs, engine.info, tokens).withShortcuts(noShortcuts("a probe generates nothing"));
  const whole = await continuedPrompts(engine, inputs, plan.selection);
  const prompts = whole.map((prompt) => ({ ...prompt, continuation: prompt.continuation.slice(0, settings.tokens) }));
  if (prompts.length === 0) {
    throw new UsageError({
      what: "there is no reference to look for",
      actual: `${plan.selection.length} samples, none of whose references has a token`,
      expected: "references with at least one token",
    });
  }
  const readByCka = settings.cka === "prompt-end" ? plan.selection.length : whole.length;
  if (settings.cka && readByCka < FEWEST_FOR_CKA) {
    throw new UsageError({
      what: "there are too few samples for --cka",
      actual: `${readByCka} samples`,
      expected: `at least ${FEWEST_FOR_CKA}: with fewer, any two layers look alike`,
      fix: "Give more samples, or a smaller --holdout.",
    });
  }
  const others = new Set([...settings.confidence, ...settings.difference]);
  others.delete(plan.layerCount);
  const card = settings.card && planCard(settings.card, plan.layerCount, inputs.adapter);
  const read = card ? whole : prompts;
  const longest = Math.max(...read.map((prompt) => prompt.tokens.length + prompt.continuation.length));
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
      passes: 1 + others.size + (settings.cka ? 1 : 0) + cardPasses(card),
      tokens: prompts.reduce((sum, prompt) => sum + prompt.tokens.length + prompt.continuation.length - 1, 0),
      ...(card ? { card: card.costs } : {}),
    },
    notes: notesOf(plan, prompts, settings),
    card: card && { plan: card, prompts: whole },
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

function cardPasses(card: CardPlan | undefined): number {
  return (card?.costs ?? []).reduce((sum, { passes }) => sum + passes, 0);
}
