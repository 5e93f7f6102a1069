import { UsageError } from "../errors.js";
import { Registry } from "../registry.js";
import type { Sample, SampleKind } from "../samples/sample.js";
import { bundledPrompt } from "./prompt.js";

/** What is asked of the model and how its answers are scored. */
export interface Task {
  readonly name: string;
  /** How a file of samples is read where its layout leaves that open. */
  readonly kind: SampleKind;
  /** Path of the jinja file with the user message; a custom task has none of its own. */
  readonly promptPath: string | undefined;
  /** Most tokens of an answer unless the user says otherwise. */
  readonly maxTokens: number;
  /** Strings that end an answer, by the template in use; a chat model ends its turn by itself. */
  readonly stop: Readonly<Record<"chat" | "raw", readonly string[]>>;
  /** Metrics shown, in the order of the table. */
  readonly metrics: readonly string[];
  /** The metric that chooses the boundary unless the user says otherwise. */
  readonly primary: string;
  /** Takes the answer out of an output, where the user gives no expression for it; undefined where there is none in it. */
  readonly extract?: (output: string) => string | undefined;
  /** Reads the samples out of a file's text, where its layout is none that boundary knows. */
  readonly readSamples?: (text: string, path: string) => readonly Sample[];
}

/** What a task of one's own is made of: everything but its name has a default. */
export type TaskParts = Pick<Task, "name"> & Partial<Omit<Task, "stop">> & { readonly stop?: readonly string[] };

const builtIn: Readonly<Record<SampleKind, Omit<Task, "name" | "kind">>> = {
  /** Short answers from a text. Primary is contains in token form, which is what arXiv 2503.23360 calls EM. */
  qa: {
    promptPath: bundledPrompt("qa.jinja"),
    maxTokens: 32,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["em", "f1", "contains"],
    primary: "contains",
  },
  /** Word problems with a worked answer. Length and stops are those of lm-evaluation-harness's gsm8k. */
  math: {
    promptPath: bundledPrompt("math.jinja"),
    maxTokens: 256,
    stop: { chat: [], raw: ["Question:", "</s>", "<|im_end|>"] },
    metrics: ["gsm8k-strict", "gsm8k-flexible"],
    primary: "gsm8k-flexible",
  },
  /** Summaries of dialogues, with stemming as the harnesses score SAMSum. */
  summary: {
    promptPath: bundledPrompt("summary.jinja"),
    maxTokens: 128,
    stop: { chat: [], raw: ["\n\n"] },
    metrics: ["rouge1:stemmer=yes", "rouge2:stemmer=yes", "rougeL:stemmer=yes", "rougeLsum:stemmer=yes"],
    primary: "rougeL:stemmer=yes",
  },
  /** One segment at a time. BLEU's tokenizer follows the target language. */
  translation: {
    promptPath: bundledPrompt("translation.jinja"),
    maxTokens: 256,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["bleu", "chrf"],
    primary: "chrf",
  },
  /** One label out of two. */
  "yes-no": {
    promptPath: bundledPrompt("yes-no.jinja"),
    maxTokens: 16,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["accuracy", "over-long"],
    primary: "accuracy",
  },
  /** Training data: prompts as the file and the chat template give them. The metrics follow the references. */
  chat: {
    promptPath: bundledPrompt("chat.jinja"),
    maxTokens: 256,
    stop: { chat: [], raw: [] },
    metrics: ["rougeL", "chrf", "f1", "contains"],
    primary: "rougeL",
  },
  /** Whatever the user's own prompt file asks. */
  custom: {
    promptPath: undefined,
    maxTokens: 128,
    stop: { chat: [], raw: [] },
    metrics: ["em", "f1", "contains"],
    primary: "f1",
  },
};

const tasks = new Registry<Task>(
  "task",
  (Object.keys(builtIn) as SampleKind[]).sort().map((name) => [name, { name, kind: name, ...builtIn[name] }]),
);

/** Names of the tasks: those of boundary itself, sorted, then those registered. */
export function taskNames(): readonly string[] {
  return tasks.names;
}

/**
 * Adds a task, which is from then on taken by its name as `task`. What is left out is that of the task `custom`: rows of any fields, the user's own prompt, 128 tokens,
 * exact match, F1 and contains; the first of its own metrics chooses the boundary.
 * @throws UsageError for a name that is taken or cannot stand in a flag, and for a task without metrics.
 */
export function registerTask({ stop, ...parts }: TaskParts): void {
  const metrics = parts.metrics ?? builtIn.custom.metrics;
  const [first] = metrics;
  if (first === undefined) throw new UsageError({ what: `the task ${parts.name} has no metrics` });
  const primary = parts.primary ?? (parts.metrics ? first : builtIn.custom.primary);
  const stops = stop ? { stop: { chat: stop, raw: stop } } : {};
  tasks.register(parts.name, { ...builtIn.custom, kind: "custom", ...parts, ...stops, metrics, primary });
}

/** @throws UsageError with the nearest name when there is no such task. */
export function taskByName(name: string): Task {
  return tasks.get(name);
}
