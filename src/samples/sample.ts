import { chatLayoutNames, type ChatLayoutName } from "./chat/chat-layouts.js";
import type { ChatMessage } from "./chat/message.js";

/** What a sample of training data asks by itself, without a prompt file. */
export type SamplePrompt =
  | {
      readonly kind: "messages";
      /** All before the answer. */
      readonly messages: readonly ChatMessage[];
      /** The answer as the file has it, with its calls of tools. */
      readonly answer: ChatMessage;
      readonly tools?: readonly unknown[];
    }
  /** A text with a template's marks in it, which goes in as it stands, and what ends its answer. */
  | { readonly kind: "text"; readonly text: string; readonly stop: readonly string[] };

/** One validation item: prompt variables plus one or more references. */
export interface Sample {
  readonly id: string;
  /** What a prompt template can use: `question`, `context` where there is one, and the row's other fields; never the references. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** At least one; the empty text stands for "no answer". */
  readonly references: readonly string[];
  /** Labels to break a score down by, such as `{ type: "bridge" }`. */
  readonly group?: Readonly<Record<string, string>>;
  /** Of training data: what is asked where no prompt file is given. */
  readonly prompt?: SamplePrompt;
  /** Samples of one conversation depend on each other: they stay in one part, and count as one in intervals and tests. */
  readonly conversation?: string;
}

/**
 * The layouts that are understood: JSONL of our own field names, the published SQuAD files, HotpotQA in the distractor layout,
 * GSM8K, SAMSum, DialogSum; parallel text files, rows with a `translation` by language as on the Hugging Face hub, tables of
 * tab-separated texts; texts with labels, and dialogues with a candidate response, both tab-separated; training data in the layouts of
 * {@link chatLayoutNames}; what a task of the user's own reads.
 */
export const sampleFormats = [
  "jsonl",
  "squad1.1",
  "squad2.0",
  "hotpotqa",
  "gsm8k",
  "samsum",
  "dialogsum",
  "parallel",
  "hub-translation",
  "tsv",
  "tsv-label",
  "response-selection",
  ...chatLayoutNames,
  "custom",
] as const;

/** One of {@link sampleFormats}. */
export type SampleFormat = (typeof sampleFormats)[number];

/** What a row holds that several tasks could read differently; the names are those of the tasks. */
export type SampleKind = "qa" | "math" | "summary" | "translation" | "yes-no" | "chat" | "custom";

/** The samples of one file, in its order. */
export interface LoadedSamples {
  readonly format: SampleFormat;
  readonly path: string;
  /** Of parallel text: the files that the references came from. */
  readonly referencePaths?: readonly string[];
  readonly samples: readonly Sample[];
  /** Of the file's bytes, in hexadecimal; of parallel files, of their hashes, a line each. */
  readonly sha256: string;
  /** What a user should know about the file although it is usable, one sentence each. */
  readonly notes: readonly string[];
  /** Of translations: the language of the sources as a BCP 47 tag such as "en" or "pt-BR", where it is known. */
  readonly sourceLanguage?: string;
  /** Of translations: the language of the references; it decides how BLEU tokenises. */
  readonly targetLanguage?: string;
}

/** How to read a file of samples. */
export interface LoadOptions {
  /** What the rows are for, by the name of the task. Default "qa". */
  readonly kind?: SampleKind;
  /** Reads the samples of a file in a layout of the user's own, instead of all that is known here. */
  readonly readSamples?: (text: string, path: string) => readonly Sample[];
  /** The layout of training data, where it is not to be recognised; `rows` for fields of our own names. */
  readonly layout?: ChatLayoutName | "rows";
  /** Of conversations: `last` (the default) or `all` answers are references. */
  readonly turns?: "last" | "all";
  /** Of training data: what becomes of rows that cannot be read. Default "fail". */
  readonly onBadRow?: "fail" | "skip";
  /** Of rows of one text: what stands before the answer, unless that is the mark of a known template. */
  readonly answerMark?: string;
  /** For JSONL: our field names to the file's, such as `{ question: "q", answers: "gold.text" }`; dots reach nested fields. */
  readonly map?: Readonly<Record<string, string>>;
  /** For HotpotQA: only the supporting sentences (the default), or all paragraphs. Without effect on other formats. */
  readonly context?: "supporting" | "all";
  /** Keep the first so many samples; the whole file is checked all the same. */
  readonly limit?: number;
  /** For translations in plain text: the files with the references, line for line. */
  readonly references?: readonly string[];
  /** For translations: the language to translate from, such as "en"; by default as the file names and rows tell. */
  readonly sourceLanguage?: string;
  /** For translations: the language to translate into. */
  readonly targetLanguage?: string;
}
