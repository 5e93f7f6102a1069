import type { HashedAdapter } from "../adapter/adapter.js";
import { readBaseModel, withSha256, type BaseModel, type HashedBaseModel } from "../adapter/base-model.js";
import type { PeftAdapter } from "../adapter/load-peft-adapter.js";
import { openAdapter } from "../adapter/open-adapter.js";
import { resolveModelPath } from "../engine/resolve-model.js";
import type { Metric } from "../metrics/metric.js";
import type { QaRules } from "../metrics/qa.js";
import { metricByName } from "../metrics/registry.js";
import { parseMap } from "../samples/field-map.js";
import { loadSamples } from "../samples/load.js";
import type { LoadedSamples, LoadOptions, Sample } from "../samples/sample.js";
import { assertDisjoint, splitSamples } from "../samples/split.js";
import { chatFormatter, type TemplateChoice } from "../tasks/chat.js";
import { loadPrompt, renderPrompt, type PromptTemplate } from "../tasks/prompt.js";
import { taskByName, type Task } from "../tasks/task.js";
import { parseBoundaries } from "./boundaries.js";
import type { SweepConfig } from "./config.js";

/** The part of the samples that chooses K, or the part that only confirms it. */
export type Part = "selection" | "holdout";

/** A sample with the text that the model continues. */
export interface PromptedSample {
  readonly part: Part;
  readonly sample: Sample;
  readonly text: string;
}

/** Everything a sweep reads before the engine starts, checked. */
export interface SweepInputs {
  readonly model: HashedBaseModel;
  /** As the engine loads it. */
  readonly adapter: HashedAdapter;
  /** What it was converted from, where it came as a PEFT folder. */
  readonly peft: PeftAdapter | undefined;
  /** Removes the temporary file of a converted adapter. */
  readonly close: () => Promise<void>;
  readonly task: Task;
  readonly rules: QaRules;
  readonly metrics: readonly Metric[];
  readonly primary: Metric;
  readonly prompt: PromptTemplate;
  readonly template: TemplateChoice;
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
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
  const prompt = await loadPrompt(config.prompt ?? task.promptPath);
  const options = loadOptions(config);
  const limited = config.limit === undefined ? options : { ...options, limit: config.limit };
  const data = await loadSamples(config.data, limited);
  const holdoutData = typeof config.holdout === "string" ? await loadSamples(config.holdout, options) : undefined;
  const rules = rulesFor(config, data);
  const metrics = task.metrics.map((name) => metricByName(name, rules));
  const primary = metricByName(config.metric ?? task.primary, rules);

  const model = await withSha256(await readBaseModel(await resolveModelPath(config.model)));
  const boundaries = parseBoundaries(config.boundaries, model.layerCount);

  const template = config.template ?? (model.chatTemplate === undefined ? "raw" : "chat");
  const samples = promptSamples(config, {
    data,
    holdoutData,
    prompt,
    format: chatFormatter(model, template, config.system),
  });
  // Last, because it may leave a temporary file that only the caller can remove.
  const { adapter, peft, close } = await openAdapter(await resolveModelPath(config.adapter), model);
  return {
    model,
    adapter,
    peft,
    close,
    task,
    rules,
    metrics: metrics.some(({ name }) => name === primary.name) ? metrics : [...metrics, primary],
    primary,
    prompt,
    template,
    data,
    holdoutData,
    boundaries,
    samples,
    notes: [
      ...notesOf(config, model, data, holdoutData, samples),
      ...(peft?.findings ?? []).map(({ message }) => message),
    ],
  };
}

function loadOptions(config: SweepConfig): LoadOptions {
  return { context: config.context, ...(config.map === undefined ? {} : { map: parseMap(config.map) }) };
}

function rulesFor(config: SweepConfig, data: LoadedSamples): QaRules {
  if (config.rules !== "auto") return config.rules;
  if (data.format === "hotpotqa") return "hotpotqa";
  return data.format === "squad2.0" ? "squad2" : "squad";
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
  const fraction = typeof config.holdout === "number" ? config.holdout : 0;
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
  if (!samples.some(({ part }) => part === "holdout")) {
    notes.push("There is no holdout: the scores of the chosen K are in-sample and flatter it.");
  }
  return notes;
}
