import { at, defined } from "../assert.js";
import { UsageError } from "../errors.js";
import { chatLayouts, isChatLayoutName } from "../samples/chat/chat-layouts.js";
import { wordCount } from "../samples/grouping.js";
import type { LoadedSamples, Sample } from "../samples/sample.js";
import { chatMetrics } from "../tasks/chat-metrics.js";
import type { TemplateChoice } from "../tasks/chat.js";
import { loadData, type BaseConfig } from "./inputs/base-inputs.js";
import { withBaseSession } from "./session.js";

/** Settings of a look at data: those of a sweep, without an adapter, and perhaps without a model. */
export type DataConfig = Omit<BaseConfig, "model"> & { readonly model?: string | undefined };

/** Least, middle and most of some lengths. */
export interface Lengths {
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

/** What was understood of a file of samples. */
export interface DataView {
  readonly path: string;
  /** Name of the layout, as `--layout` and results have it. */
  readonly format: LoadedSamples["format"];
  /** The same for a reader. */
  readonly layout: string;
  readonly samples: number;
  readonly task: string;
  /** Messages by who speaks, those of references included; empty where the data has no conversations. */
  readonly roles: Readonly<Record<string, number>>;
  /** Words of the first references. */
  readonly referenceWords: Lengths;
  /** What chooses K, in a sentence; of training data. */
  readonly primary?: string;
  readonly notes: readonly string[];
  /** One sample. */
  readonly shown: { readonly id: string; readonly references: readonly string[] };
  /** With a model. */
  readonly asked?: AskedData;
}

/** What the model reads. */
export interface AskedData {
  readonly template: TemplateChoice;
  /** Tokens of the prompts, the begin-of-sequence token included. */
  readonly promptTokens: Lengths;
  /** Tokens of the first references, without what ends them. */
  readonly referenceTokens: Lengths;
  /** The text of the sample that is shown. */
  readonly prompt: string;
  /** What the engine puts in front of a text, such as `<s>`; empty where that is nothing, or the text has it. */
  readonly begin: string;
  /** What ends an answer besides the model's own end of a turn. */
  readonly stop: readonly string[];
}

/**
 * Reads a file of samples as a sweep would, and with a model puts them into words.
 * @param place of the sample that is shown, from 1.
 * @throws what reading data and model throws; UsageError for a place beyond the samples.
 */
export async function viewData(config: DataConfig, place: number, signal: AbortSignal | undefined): Promise<DataView> {
  const { model } = config;
  if (model === undefined) {
    const { data, task, isChat } = await loadData(config);
    return viewOf(data, data.samples, { task: task.name, isChat, notes: data.notes }, place);
  }
  // All samples are one part.
  const settings = { ...config, model, holdout: 0 };
  return withBaseSession({ ...settings, gpu: "off", gpuLayers: 0 }, signal, async (inputs, engine) => {
    const samples = inputs.samples.map(({ sample }) => sample);
    const isChat = inputs.decided.task === "chat";
    const view = viewOf(inputs.data, samples, { task: inputs.task.name, isChat, notes: inputs.notes }, place);
    const texts = inputs.samples.map(({ text }) => text);
    const prompts = await engine.tokenize(texts);
    const empty = at(await engine.tokenize([""]), 0).length;
    const whole = await engine.tokenize(inputs.samples.map(({ text, sample }) => text + at(sample.references, 0)));
    const text = at(texts, place - 1);
    const { bosText } = inputs.model;
    return {
      ...view,
      asked: {
        template: inputs.template,
        promptTokens: lengthsOf(prompts.map(({ length }) => length)),
        referenceTokens: lengthsOf(whole.map(({ length }, i) => Math.max(0, length - at(prompts, i).length))),
        prompt: text,
        begin: empty > 0 && bosText !== "" && !text.startsWith(bosText) ? bosText : "",
        stop: inputs.stop,
      },
    };
  });
}

function viewOf(
  data: LoadedSamples,
  samples: readonly Sample[],
  { task, isChat, notes }: { readonly task: string; readonly isChat: boolean; readonly notes: readonly string[] },
  place: number,
): DataView {
  const shown = samples[place - 1];
  if (!shown) {
    throw new UsageError({
      what: "there is no such sample to show",
      actual: `--sample ${place}`,
      expected: `1 to ${samples.length}`,
    });
  }
  const roles: Record<string, number> = {};
  for (const { prompt } of samples) {
    if (prompt?.kind !== "messages") continue;
    for (const { role } of [...prompt.messages, prompt.answer]) roles[role] = (roles[role] ?? 0) + 1;
  }
  const primary = isChat ? chatMetrics(samples).reason : undefined;
  const { format } = data;
  return {
    path: data.path,
    format,
    layout: isChatLayoutName(format)
      ? chatLayouts[format].title
      : format === "jsonl"
        ? "rows with fields of our names"
        : format,
    samples: samples.length,
    task,
    roles,
    referenceWords: lengthsOf(samples.map(({ references }) => wordCount(at(references, 0)))),
    ...(primary === undefined ? {} : { primary }),
    notes: notes.filter((note) => note !== primary),
    shown: { id: shown.id, references: shown.references },
  };
}

function lengthsOf(lengths: readonly number[]): Lengths {
  const sorted = [...lengths].sort((a, b) => a - b);
  const share = (of: number): number =>
    defined(sorted[Math.min(sorted.length - 1, Math.floor(of * sorted.length))], "a length");
  return { min: share(0), median: share(0.5), p95: share(0.95), max: share(1) };
}
