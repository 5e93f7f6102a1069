import { readBaseModel, withSha256, type HashedBaseModel } from "../../adapter/base-model.js";
import { InputFiles } from "../../files/input-files.js";
import { resolveModelPath } from "../../engine/resolve-model.js";
import { parseMap } from "../../samples/field-map.js";
import { groupOf, groupSamples } from "../../samples/grouping.js";
import { loadSamples } from "../../samples/load.js";
import type { LoadedSamples, LoadOptions, Sample } from "../../samples/sample.js";
import { assertDisjoint, splitSamples, type Part } from "../../samples/split.js";
import {
  conversationFormatter,
  unanswered,
  type ConversationFormatter,
  type TemplateChoice,
} from "../../tasks/chat.js";
import { chatTemplateBy } from "../../tasks/chat-templates.js";
import { chatMetrics, type ChatMetrics } from "../../tasks/chat-metrics.js";
import { loadPrompt, markAtEnd, renderPrompt, type PromptTemplate } from "../../tasks/prompt.js";
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

/** What the data decides where the user does not. */
export type DecidedSettings = Pick<BaseConfig, "task" | "metrics" | "metric" | "confirm">;

/** A base model and what it is asked, checked before the engine starts. */
export interface BaseInputs extends Scoring {
  /** Field of the samples that scores are broken down by. */
  readonly groupBy: string | undefined;
  readonly model: HashedBaseModel;
  /** The files of the model, and of the adapter where there is one. */
  readonly files: InputFiles;
  readonly task: Task;
  /** Settings that were not given, as the data decided them. */
  readonly decided: DecidedSettings;
  /** Source of the template that asks: the prompt file's, or the chat template's where the data brings its own prompts. */
  readonly askedBy: string;
  readonly template: TemplateChoice;
  /** Jinja source of the chat template in use, the model's own or another. */
  readonly chatTemplate: string | undefined;
  /** What ends an answer. */
  readonly stop: readonly string[];
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
  const { data, holdoutData, task, prompt, isChat } = await loadData(config);
  const { reason, ...metrics } = isChat && task.name === "chat" ? chatMetricsFor(config, data) : {};
  const decided = { task: task.name, ...metrics };
  const base = await readBaseModel(await resolveModelPath(config.model));
  const override = config.chatTemplate === undefined ? undefined : await chatTemplateBy(config.chatTemplate);
  const chatTemplate = override?.source ?? base.chatTemplate;
  const scoring = scoringOf({ ...config, ...decided }, task, { ...data, thoughts: thoughtMarksOf(chatTemplate) });
  const model = await withSha256(base);
  const template = config.template ?? (chatTemplate === undefined ? "raw" : "chat");
  const format = conversationFormatter({ ...model, chatTemplate }, template, config.system);
  const samples = promptSamples(config, { data, holdoutData, ask: asking(prompt, format) });
  if (config.groupBy !== undefined) assertGroups(samples, config.groupBy);
  return {
    model,
    files: new InputFiles(model.sources),
    task,
    ...scoring,
    groupBy: config.groupBy,
    decided,
    askedBy: prompt?.source ?? `messages\n${chatTemplate ?? ""}`,
    template,
    chatTemplate,
    stop: [...new Set([...task.stop[template], ...(override?.stop ?? []), ...stopsOf(samples)])],
    data,
    holdoutData,
    samples,
    notes: [
      ...(reason === undefined ? [] : [reason]),
      ...notesOf(config, { task, chatTemplate }, data, holdoutData, samples),
    ],
  };
}

/** The samples, and what asks them. */
interface LoadedData {
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  readonly task: Task;
  /** Undefined where the data brings its own prompts. */
  readonly prompt: PromptTemplate | undefined;
  /** Whether all samples are of training data, with prompts of their own. */
  readonly isChat: boolean;
}

/** @throws what {@link loadSamples} and {@link loadPrompt} throw; UsageError for a task that needs a prompt file. */
export async function loadData(config: Omit<BaseConfig, "model">): Promise<LoadedData> {
  const asked = taskByName(config.task ?? "qa");
  const promptPath = config.prompt ?? asked.promptPath;
  const given = promptPath === undefined ? undefined : await loadPrompt(promptPath);
  const options = loadOptions(config, asked, given);
  const limited = config.limit === undefined ? options : { ...options, limit: config.limit };
  const data = await loadSamples(config.data, limited);
  const holdoutData = typeof config.holdout === "string" ? await loadSamples(config.holdout, options) : undefined;
  const isChat = [data, holdoutData].every((file) => file?.samples.every(({ prompt }) => prompt !== undefined) ?? true);
  const task = config.task === undefined && isChat ? taskByName("chat") : asked;
  const prompt = isChat && config.prompt === undefined ? undefined : (given ?? noPrompt(task));
  return { data, holdoutData, task, prompt, isChat };
}

/** Metrics that the data decides; none where the user named some. */
function chatMetricsFor(
  { metric, metrics, confirm }: BaseConfig,
  data: LoadedSamples,
): Partial<ChatMetrics["settings"]> & { reason?: string } {
  if (metric !== undefined || metrics !== undefined || confirm !== undefined) return {};
  const { settings, reason } = chatMetrics(data.samples);
  return { ...settings, reason };
}

function stopsOf(samples: readonly PromptedSample[]): readonly string[] {
  return samples.flatMap(({ sample: { prompt } }) => (prompt?.kind === "text" ? prompt.stop : []));
}

/** @throws UsageError where a part has no sample with that field: found out here, before anything is generated. */
function assertGroups(samples: readonly PromptedSample[], field: string): void {
  for (const part of ["selection", "holdout"] as const) {
    const own = samples.filter((one) => one.part === part).map(({ sample }) => sample);
    if (own.length > 0) groupSamples(own, field);
  }
}

function noPrompt({ name }: Task): never {
  throw new UsageError({
    what: `--task ${name} has no prompt of its own`,
    expected: "--prompt FILE, a jinja template with the fields of your data",
    fix: "prompts/qa.jinja is an example.",
  });
}

function loadOptions(config: Omit<BaseConfig, "model">, task: Task, prompt: PromptTemplate | undefined): LoadOptions {
  const { context, map, references, sourceLanguage, targetLanguage, layout, turns, onBadRow } = config;
  const answerMark = config.prompt === undefined || !prompt ? undefined : markAtEnd(prompt);
  return {
    kind: task.kind,
    ...(task.readSamples ? { readSamples: task.readSamples } : {}),
    context,
    turns,
    onBadRow,
    ...(layout === "auto" ? {} : { layout }),
    ...(answerMark === undefined ? {} : { answerMark }),
    ...(map === undefined ? {} : { map: parseMap(map) }),
    ...(references === undefined ? {} : { references: references.split(",").map((path) => path.trim()) }),
    ...(sourceLanguage === undefined ? {} : { sourceLanguage }),
    ...(targetLanguage === undefined ? {} : { targetLanguage }),
  };
}

/** How a sample is asked. */
interface Asking {
  /** The text that the model continues. */
  text(sample: Sample, path: string): string;
  /** The sample with its references as the model is to write them. */
  sample(sample: Sample): Sample;
  /** What makes two samples the same. */
  content(sample: Sample, path: string): string;
}

/** By the words of a prompt file, or as the data says by itself. */
function asking(prompt: PromptTemplate | undefined, format: ConversationFormatter): Asking {
  if (prompt) {
    const content = (sample: Sample, path: string): string => renderPrompt(prompt, sample, path);
    const text = (sample: Sample, path: string): string =>
      format.prompt(unanswered([{ role: "user", content: content(sample, path) }]));
    return { content, sample: (sample) => sample, text };
  }
  const text = ({ prompt: own }: Sample): string => {
    if (own === undefined) throw new RangeError("a sample without a prompt");
    return own.kind === "text" ? own.text : format.prompt(own);
  };
  return {
    text,
    content: text,
    sample: (sample) => {
      const { prompt: own, references } = sample;
      return own?.kind === "messages" && references.length === 1
        ? { ...sample, references: [format.answer(own)] }
        : sample;
    },
  };
}

interface PromptingInputs {
  readonly data: LoadedSamples;
  readonly holdoutData: LoadedSamples | undefined;
  readonly ask: Asking;
}

function promptSamples(config: BaseConfig, { data, holdoutData, ask }: PromptingInputs): PromptedSample[] {
  const render = (source: LoadedSamples, part: Part) => {
    return (sample: Sample): PromptedSample => ({
      part,
      sample: ask.sample(sample),
      text: ask.text(sample, source.path),
    });
  };
  if (holdoutData) {
    const selection = data.samples.map(render(data, "selection"));
    const holdout = holdoutData.samples.map(render(holdoutData, "holdout"));
    assertDisjoint(data.samples, holdoutData.samples, (sample) => ask.content(sample, data.path));
    return [...selection, ...holdout];
  }
  const fraction = typeof config.holdout === "number" && config.folds === undefined ? config.holdout : 0;
  const split = splitSamples(data.samples, {
    fraction,
    seed: config.seed,
    // Samples of one conversation depend on each other, whatever each of them asks.
    contentOf: (sample) =>
      sample.conversation === undefined ? ask.content(sample, data.path) : `conversation ${sample.conversation}`,
  });
  return [...split.selection.map(render(data, "selection")), ...split.holdout.map(render(data, "holdout"))];
}

function notesOf(
  config: BaseConfig,
  { task, chatTemplate }: { readonly task: Task; readonly chatTemplate: string | undefined },
  data: LoadedSamples,
  holdoutData: LoadedSamples | undefined,
  samples: readonly PromptedSample[],
): string[] {
  const notes = [...data.notes, ...(holdoutData?.notes ?? [])];
  const isOfKnownLanguage =
    (data.targetLanguage ?? config.targetLanguage) !== undefined ||
    samples.some(({ sample }) => groupOf(sample, "target_language") !== undefined);
  if (task.name === "translation" && !isOfKnownLanguage) {
    notes.push(
      "The language of the references is not known, so BLEU splits them by 13a, which is wrong for Chinese: --target-language names it.",
    );
  }
  if (config.template === undefined && chatTemplate === undefined) {
    notes.push(
      `The model has no chat template: prompts go in as they are, and an answer ends at its first line break.`,
    );
  }
  const withTools = samples.filter(({ sample: { prompt } }) => prompt?.kind === "messages" && prompt.tools).length;
  if (withTools > 0 && chatTemplate?.includes("tools") === false) {
    notes.push(
      `The chat template writes no tools, and ${withTools} conversations list some: the model is asked without them. --chat-template names the one that the adapter was trained on.`,
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
