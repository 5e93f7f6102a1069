import { readBaseModel, withSha256, type BaseModel, type HashedBaseModel } from "../../adapter/base-model.js";
import { InputFiles } from "../../files/input-files.js";
import { resolveModelPath } from "../../engine/resolve-model.js";
import { parseMap } from "../../samples/field-map.js";
import { groupOf, groupSamples } from "../../samples/grouping.js";
import { loadSamples } from "../../samples/load.js";
import type { LoadedSamples, LoadOptions, Sample } from "../../samples/sample.js";
import { assertDisjoint, splitSamples, type Part } from "../../samples/split.js";
import { chatFormatter, type TemplateChoice } from "../../tasks/chat.js";
import { loadPrompt, renderPrompt, type PromptTemplate } from "../../tasks/prompt.js";
import { taskByName, type Task } from "../../tasks/task.js";
import { thoughtMarksOf } from "../../tasks/thoughts.js";
import { UsageError } from "../../errors.js";
import type { SweepConfig } from "../config.js";
import { scoringOf, type Scoring } from "./scoring.js";

/** Settings that say what is asked of a base model, and nothing of an adapter. */
export type BaseConfig = Omit<SweepConfig, "adapter" | "out" | "boundaries">;

/** A sample with the text that the model continues. */
export interface PromptedSample {
  readonly part: Part;
  readonly sample: Sample;
  readonly text: string;
}

/** A base model and what it is asked, checked before the engine starts. */
export interface BaseInputs extends Scoring {
  /** Field of the samples that scores are broken down by. */
  readonly groupBy: string | undefined;
  readonly model: HashedBaseModel;
  /** The files of the model, and of the adapter where there is one. */
  readonly files: InputFiles;
  readonly task: Task;
  readonly prompt: PromptTemplate;
  readonly template: TemplateChoice;
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  /** Selection first, each part in the order of its file. */
  readonly samples: readonly PromptedSample[];
  /** What a user should know although nothing is wrong, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads and checks the model, the samples and the prompts made of them; no native code runs.
 * @throws a BoundaryError that names the first thing that is wrong.
 */
export async function loadBaseInputs(config: BaseConfig): Promise<BaseInputs> {
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
  const base = await readBaseModel(await resolveModelPath(config.model));
  const scoring = scoringOf(config, task, { ...data, thoughts: thoughtMarksOf(base.chatTemplate) });
  const model = await withSha256(base);
  const template = config.template ?? (model.chatTemplate === undefined ? "raw" : "chat");
  const samples = promptSamples(config, {
    data,
    holdoutData,
    prompt,
    format: chatFormatter(model, template, config.system),
  });
  if (config.groupBy !== undefined) assertGroups(samples, config.groupBy);
  return {
    model,
    files: new InputFiles(model.sources),
    task,
    ...scoring,
    groupBy: config.groupBy,
    prompt,
    template,
    data,
    holdoutData,
    samples,
    notes: notesOf(config, model, data, holdoutData, samples),
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

function loadOptions(config: BaseConfig, task: Task): LoadOptions {
  const { context, map, references, sourceLanguage, targetLanguage } = config;
  return {
    kind: task.kind,
    ...(task.readSamples ? { readSamples: task.readSamples } : {}),
    context,
    ...(map === undefined ? {} : { map: parseMap(map) }),
    ...(references === undefined ? {} : { references: references.split(",").map((path) => path.trim()) }),
    ...(sourceLanguage === undefined ? {} : { sourceLanguage }),
    ...(targetLanguage === undefined ? {} : { targetLanguage }),
  };
}

interface PromptingInputs {
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  readonly prompt: PromptTemplate;
  readonly format: (userMessage: string) => string;
}

function promptSamples(config: BaseConfig, { data, holdoutData, prompt, format }: PromptingInputs): PromptedSample[] {
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
  config: BaseConfig,
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
  return notes;
}
