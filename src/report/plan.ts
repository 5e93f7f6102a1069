import { at } from "../assert.js";
import type { EngineInfo } from "../engine/engine.js";
import type { CostEstimate } from "../sweep/estimate.js";
import { bareEntry } from "../run/to-result.js";
import { rankingPasses } from "../sweep/ranking/rank-layers.js";
import type { SweepInputs } from "../sweep/inputs/inputs.js";
import { isBatchInvariant } from "../engine/engine.js";
import type { AdapterEffects } from "../run/without-effect.js";
import type { SweepPlan } from "../sweep/plan.js";
import { stableJson } from "../files/stable-json.js";
import { oneLine } from "./paint.js";

/** A plan with its cost. */
export interface PlannedSweep {
  readonly plan: SweepPlan;
  readonly inputs: SweepInputs;
  readonly cost: CostEstimate;
  readonly engine: EngineInfo;
}

/** What a sweep is about to do, a line each. */
export function planLines(plan: SweepPlan, inputs: SweepInputs): string[] {
  const { model, adapter, data, holdoutData, task, primary, template } = inputs;
  const { context, maxTokens } = plan.generation;
  return [
    `model     ${model.name ?? model.path} (${model.architecture}, ${model.layerCount} layers)`,
    `adapter   ${adapter.modules.length} modules in ${adapter.coverage.length} of ${model.layerCount} layers, alpha ${adapter.alpha}`,
    `data      ${data.path}: ${data.format}${holdoutData ? `; holdout ${holdoutData.path}: ${holdoutData.format}` : ""}`,
    `samples   ${plan.selection.length} choose${plan.strategy === "prefix" ? " K" : ""}, ${plan.holdout.length} confirm it${plan.skipped.length > 0 ? `, ${plan.skipped.length} skipped (prompt longer than the context)` : ""}`,
    `task      ${task.name}, primary metric ${primary.name}, ${template} template, at most ${maxTokens} tokens an answer`,
    triedLine(plan, inputs),
    `context   ${context.sequences} sequences of ${context.contextSize} tokens`,
  ].map(oneLine);
}

/** The plan with its estimated cost, as lines or as JSON. */
export function planReport({ plan, inputs, cost, engine }: PlannedSweep, { json }: { json: boolean }): string {
  if (json) {
    return stableJson({
      boundaries: plan.candidates.map((candidate) => bareEntry(candidate)),
      strategy: plan.strategy,
      ranking: plan.isRanked ? { passes: 0, samples: 0 } : rankingCost(plan, inputs),
      cost,
      effect: inputs.effects,
      engine,
      format: inputs.data.format,
      generation: plan.generation,
      holdout: plan.holdout.map(({ sample }) => sample.id),
      metric: inputs.primary.name,
      selection: plan.selection.map(({ sample }) => sample.id),
      skipped: plan.skipped,
    }).trimEnd();
  }
  return [
    ...planLines(plan, inputs),
    `engine    llama.cpp ${engine.llamaCpp}, ${engine.backend}, ${engine.threads} thread${engine.threads === 1 ? "" : "s"}${engine.gpuLayers > 0 ? `, ${engine.gpuLayers} layers on the GPU` : ""}`,
    `shortcuts ${shortcutWords(plan)}`,
    ...(inputs.effects ? [`modules   ${effectWords(inputs.effects)}`] : []),
    `cost      ${costWords(cost)}; key/value cache ${(cost.cacheBytes / 1e6).toFixed(0)} MB`,
    `time      about ${duration(cost.seconds)}, from a few samples under three of the masks`,
    ...inputs.notes.map((note) => `note      ${note}`),
  ].join("\n");
}

function costWords({ answers, weighed, prefillTokens, decodeTokensAtMost }: CostEstimate): string {
  return [
    ...(answers > 0 ? [`${answers} answers`] : []),
    ...(weighed > 0 ? [`${weighed} references weighed`] : []),
    `${prefillTokens} ${weighed > 0 ? "tokens read" : "prompt tokens"}`,
    ...(answers > 0 ? [`at most ${decodeTokensAtMost} generated`] : []),
  ].join(", ");
}

/** How it was found out which modules act, and what that cost. What has no effect is among the notes. */
function effectWords({ withoutEffect, prompts }: AdapterEffects): string {
  const found =
    withoutEffect.length === 0
      ? "every kind has an effect"
      : `${withoutEffect.map(({ module }) => module).join(", ")}: no effect, see the notes`;
  const cost = prompts === 0 ? "known from an earlier run, costs nothing now" : `tried with ${prompts} short prompts`;
  return `${found} (${cost})`;
}

/** What is tried, in a line. */
function triedLine(plan: SweepPlan, inputs: SweepInputs): string {
  const boundaries = plan.candidates.map(({ number: boundary }) => boundary);
  if (plan.strategy === "prefix") {
    const same = inputs.boundaries.length - boundaries.length;
    return `K         ${list(boundaries)}${same > 0 ? ` (${same} more keep the same tensors as one of these)` : ""}`;
  }
  const names = plan.candidates.map(({ name }) => name);
  const most = 8;
  const shown = names.length > most ? [...names.slice(0, most - 1), "...", at(names, names.length - 1)] : names;
  const { passes, samples } = rankingCost(plan, inputs);
  const first =
    plan.isRanked || passes === 0 ? "" : `; before that, layers are ranked in ${passes} passes over ${samples} samples`;
  return `masks     ${plan.strategy}: ${names.length} (${shown.join(", ")})${first}`;
}

function rankingCost(plan: SweepPlan, inputs: SweepInputs): { readonly passes: number; readonly samples: number } {
  const { passes, samples } = rankingPasses(inputs.strategy, inputs.adapter.coverage.length);
  return { passes, samples: passes === 0 ? 0 : Math.min(samples, plan.selection.length) };
}

function shortcutWords({ shortcuts, generation }: SweepPlan): string {
  const taken = [
    ...(shortcuts.sharedLayers ? ["what lies below a boundary is computed once for all of them"] : []),
    ...(isBatchInvariant(generation) && generation.invariantTokens > 0
      ? [
          `${generation.invariantTokens < generation.context.contextSize ? `answers up to ${generation.invariantTokens} tokens (with their prompts)` : "answers"} share decode steps, and are tried first as the neighbour gave them`,
        ]
      : []),
  ];
  return [...taken, ...shortcuts.reasons].join("; ");
}

function list(boundaries: readonly number[]): string {
  const first = boundaries[0] ?? 0;
  const last = boundaries.at(-1) ?? first;
  const isRun = boundaries.length > 2 && boundaries.every((boundary, i) => boundary === first + i);
  return isRun ? `${first} to ${last}` : boundaries.join(", ");
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
