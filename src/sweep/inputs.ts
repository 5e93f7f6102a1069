import type { HashedAdapter } from "../adapter/adapter.js";
import { readBaseModel, withSha256, type BaseModel, type HashedBaseModel } from "../adapter/base-model.js";
import type { PeftAdapter } from "../adapter/load-peft-adapter.js";
import { openAdapter } from "../adapter/open-adapter.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import { parseMap } from "../samples/field-map.js";
import { groupOf, groupSamples } from "../samples/grouping.js";
import { loadSamples } from "../samples/load.js";
import type { LoadedSamples, LoadOptions, Sample } from "../samples/sample.js";
import { assertDisjoint, splitSamples } from "../samples/split.js";
import { chatFormatter, type TemplateChoice } from "../tasks/chat.js";
import { loadPrompt, renderPrompt, type PromptTemplate } from "../tasks/prompt.js";
import { taskByName, type Task } from "../tasks/task.js";
import { UsageError } from "../errors.js";
import { readMasks } from "../strategy/masks-file.js";
import { isNested, parseStrategy, type Strategy } from "../strategy/strategy.js";
import type { NamedMask } from "../strategy/strategy-masks.js";
import { parseBoundaries } from "./boundaries.js";
import { paperBoundary } from "./rules.js";
import type { SweepConfig } from "./config.js";
import { scoringOf, type Scoring } from "./scoring.js";

/** The part of the samples that chooses K, or the part that only confirms it. */
export type Part = "selection" | "holdout";

/** A sample with the text that the model continues. */
export interface PromptedSample {
  readonly part: Part;
  readonly sample: Sample;
  readonly text: string;
}

/** Everything a sweep reads before the engine starts, checked. */
export interface SweepInputs extends Scoring {
  /** Field of the samples that scores are broken down by. */
  readonly groupBy: string | undefined;
  readonly model: HashedBaseModel;
  /** As the engine loads it. */
  readonly adapter: HashedAdapter;
  /** What it was converted from, where it came as a PEFT folder. */
  readonly peft: PeftAdapter | undefined;
  /** Removes the temporary file of a converted adapter. */
  readonly close: () => Promise<void>;
  readonly task: Task;
  readonly prompt: PromptTemplate;
  readonly template: TemplateChoice;
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  /** Which masks are tried. */
  readonly strategy: Strategy;
  /** As it was written. */
  readonly strategyText: string;
  /** Masks of the strategy `masks`. */
  readonly masksFromFile: readonly NamedMask[];
  readonly boundaries: readonly number[];
  /** Selection first, each part in the order of its file. */
  readonly samples: readonly PromptedSample[];
  /** What a user should know although nothing is wrong, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads and checks all that a sweep is given; no native code runs. Close it afterwards.
 * @throws a BoundaryError that names the first thing that is wrong.
 */
export async function loadInputs(config: SweepConfig): Promise<SweepInputs> {
  const task = taskByName(config.task);
  const prompt = await loadPrompt(config.prompt ?? promptOf(task));
  if (config.references !== undefined && typeof config.holdout === "string") {
    throw new UsageError({
      what: "--references belongs to --data, and a --holdout file of plain text has none",
      fix: "Give a share such as --holdout 0.5, or JSONL with source and target.",
    });
  }
  if (config.folds !== undefined && typeof config.holdout === "string") {
    throw new UsageError({
      what: "--folds and a file for --holdout exclude each other",
      fix: "Cross-validation is for where there is no holdout: leave one of the two out.",
    });
  }
  const options = loadOptions(config, task);
  const limited = config.limit === undefined ? options : { ...options, limit: config.limit };
  const data = await loadSamples(config.data, limited);
  const holdoutData = typeof config.holdout === "string" ? await loadSamples(config.holdout, options) : undefined;
  const scoring = scoringOf(config, task, data);
  const model = await withSha256(await readBaseModel(await resolveModelPath(config.model)));
  const strategyText = config.strategy ?? "prefix";
  const strategy = parseStrategy(strategyText, model.layerCount);
  assertStrategy(config, strategy);
  const boundaries = parseBoundaries(
    config.boundaries ?? defaultBoundaries(config, strategy, model.layerCount),
    model.layerCount,
  );
  const template = config.template ?? (model.chatTemplate === undefined ? "raw" : "chat");
  const samples = promptSamples(config, {
    data,
    holdoutData,
    prompt,
    format: chatFormatter(model, template, config.system),
  });
  if (config.groupBy !== undefined) assertGroups(samples, config.groupBy);
  // Last, because it may leave a temporary file that only the caller can remove.
  const { adapter, peft, close } = await openAdapter(await resolveModelPath(config.adapter), model);
  const masksFromFile = await masksOf(strategy, adapter, model.layerCount).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    model,
    adapter,
    peft,
    close,
    task,
    ...scoring,
    groupBy: config.groupBy,
    prompt,
    template,
    data,
    holdoutData,
    strategy,
    strategyText,
    masksFromFile,
    boundaries,
    samples,
    notes: [
      ...notesOf(config, model, data, holdoutData, samples),
      ...(peft?.findings ?? []).map(({ message }) => message),
    ],
  };
}

/** @throws UsageError where a part has no sample with that field: found out here, before anything is generated. */
function assertGroups(samples: readonly PromptedSample[], field: string): void {
  for (const part of ["selection", "holdout"] as const) {
    const own = samples.filter((one) => one.part === part).map(({ sample }) => sample);
    if (own.length > 0) groupSamples(own, field);
  }
}

function promptOf({ name, promptPath }: Task): string {
  if (promptPath !== undefined) return promptPath;
  throw new UsageError({
    what: `--task ${name} has no prompt of its own`,
    expected: "--prompt FILE, a jinja template with the fields of your data",
    fix: "prompts/qa.jinja is an example.",
  });
}

function loadOptions(config: SweepConfig, task: Task): LoadOptions {
  const { context, map, references, sourceLanguage, targetLanguage } = config;
  return {
    kind: task.name,
    context,
    ...(map === undefined ? {} : { map: parseMap(map) }),
    ...(references === undefined ? {} : { references: references.split(",").map((path) => path.trim()) }),
    ...(sourceLanguage === undefined ? {} : { sourceLanguage }),
    ...(targetLanguage === undefined ? {} : { targetLanguage }),
  };
}

/** @throws UsageError for settings that say nothing under this strategy. */
function assertStrategy(config: SweepConfig, strategy: Strategy): void {
  const { kind } = strategy;
  const takesBoundaries = ["prefix", "suffix", "modules", "scale"].includes(kind);
  if (config.boundaries !== undefined && !takesBoundaries) {
    throw new UsageError({
      what: `the strategy ${kind} has no boundaries`,
      actual: `--boundaries ${config.boundaries}`,
      fix: "Leave --boundaries out.",
    });
  }
  if (config.rule === "paper" && kind !== "prefix") {
    throw new UsageError({
      what: "--rule paper names a boundary",
      actual: `--strategy ${kind}`,
      expected: "--strategy prefix, or another rule",
    });
  }
  if (config.race && !isNested(strategy)) {
    throw new UsageError({
      what: "--race needs masks of which each keeps all that the one before it keeps",
      actual: `--strategy ${kind}`,
      expected: "prefix, suffix, top or greedy",
      fix: "Leave --race out; --screen nll works with every strategy.",
    });
  }
}

async function masksOf(strategy: Strategy, adapter: HashedAdapter, layerCount: number): Promise<NamedMask[]> {
  return strategy.kind === "masks" ? readMasks(strategy.path, adapter, layerCount) : [];
}

/**
 * The same inputs under another strategy.
 * @throws what reading the strategy throws.
 */
export async function withStrategy(config: SweepConfig, inputs: SweepInputs, text: string): Promise<SweepInputs> {
  const { adapter, model } = inputs;
  const strategy = parseStrategy(text, model.layerCount);
  assertStrategy({ ...config, boundaries: undefined }, strategy);
  const boundaries = parseBoundaries(defaultBoundaries(config, strategy, model.layerCount), model.layerCount);
  const masksFromFile = await masksOf(strategy, adapter, model.layerCount);
  return { ...inputs, strategy, strategyText: text, masksFromFile, boundaries };
}

/** K's tried by strategies that try several masks for each. */
const COARSE_STEPS = 6;

/** For [B]'s fixed choice only that choice is tried; the samples confirm it. */
function defaultBoundaries({ rule }: SweepConfig, { kind }: Strategy, layerCount: number): string {
  if (kind === "modules" || kind === "scale") {
    return `0-${layerCount}:${Math.max(1, Math.round(layerCount / COARSE_STEPS))}`;
  }
  return rule === "paper" ? [...new Set([0, paperBoundary(layerCount), layerCount])].join(",") : "all";
}

interface PromptingInputs {
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  readonly prompt: PromptTemplate;
  readonly format: (userMessage: string) => string;
}

function promptSamples(config: SweepConfig, { data, holdoutData, prompt, format }: PromptingInputs): PromptedSample[] {
  const render = (source: LoadedSamples, part: Part) => {
    return (sample: Sample): PromptedSample => ({
      part,
      sample,
      text: format(renderPrompt(prompt, sample, source.path)),
    });
  };
  if (holdoutData) {
    const selection = data.samples.map(render(data, "selection"));
    const holdout = holdoutData.samples.map(render(holdoutData, "holdout"));
    assertDisjoint(data.samples, holdoutData.samples, (sample) => renderPrompt(prompt, sample, data.path));
    return [...selection, ...holdout];
  }
  const fraction = typeof config.holdout === "number" && config.folds === undefined ? config.holdout : 0;
  const split = splitSamples(data.samples, {
    fraction,
    seed: config.seed,
    contentOf: (sample) => renderPrompt(prompt, sample, data.path),
  });
  return [...split.selection.map(render(data, "selection")), ...split.holdout.map(render(data, "holdout"))];
}

function notesOf(
  config: SweepConfig,
  model: BaseModel,
  data: LoadedSamples,
  holdoutData: LoadedSamples | undefined,
  samples: readonly PromptedSample[],
): string[] {
  const notes = [...data.notes, ...(holdoutData?.notes ?? [])];
  const isOfKnownLanguage =
    (data.targetLanguage ?? config.targetLanguage) !== undefined ||
    samples.some(({ sample }) => groupOf(sample, "target_language") !== undefined);
  if (config.task === "translation" && !isOfKnownLanguage) {
    notes.push(
      "The language of the references is not known, so BLEU splits them by 13a, which is wrong for Chinese: --target-language names it.",
    );
  }
  if (config.template === undefined && model.chatTemplate === undefined) {
    notes.push(
      `The model has no chat template: prompts go in as they are, and an answer ends at its first line break.`,
    );
  }
  const unanswerable = samples.filter(({ sample }) =>
    sample.references.every((reference) => reference.trim() === ""),
  ).length;
  if (unanswerable > 0) {
    notes.push(
      `${unanswerable} samples have no answer: contains counts every output as right there. Look at EM and F1.`,
    );
  }
  if (config.folds === undefined && !samples.some(({ part }) => part === "holdout")) {
    notes.push("There is no holdout: the scores of the chosen K are in-sample and flatter it.");
  }
  return notes;
}
