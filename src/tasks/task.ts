import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import type { SampleKind } from "../samples/sample.js";
import { bundledPrompt } from "./prompt.js";

/** Name of a task; it also says how a file of samples is read where its layout leaves that open. */
export type TaskName = SampleKind;

/** Names of the tasks, sorted. */
export const taskNames: readonly TaskName[] = ["custom", "math", "qa", "summary", "translation", "yes-no"];

/** What is asked of the model and how its answers are scored. */
export interface Task {
  readonly name: TaskName;
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
}

const tasks: Readonly<Record<TaskName, Task>> = {
  /** Short answers from a text. Primary is contains in token form, which is what arXiv 2503.23360 calls EM. */
  qa: {
    name: "qa",
    promptPath: bundledPrompt("qa.jinja"),
    maxTokens: 32,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["em", "f1", "contains"],
    primary: "contains",
  },
  /** Word problems with a worked answer. Length and stops are those of lm-evaluation-harness's gsm8k. */
  math: {
    name: "math",
    promptPath: bundledPrompt("math.jinja"),
    maxTokens: 256,
    stop: { chat: [], raw: ["Question:", "</s>", "<|im_end|>"] },
    metrics: ["gsm8k-strict", "gsm8k-flexible"],
    primary: "gsm8k-flexible",
  },
  /** Summaries of dialogues, with stemming as the harnesses score SAMSum. */
  summary: {
    name: "summary",
    promptPath: bundledPrompt("summary.jinja"),
    maxTokens: 128,
    stop: { chat: [], raw: ["\n\n"] },
    metrics: ["rouge1:stemmer=yes", "rouge2:stemmer=yes", "rougeL:stemmer=yes", "rougeLsum:stemmer=yes"],
    primary: "rougeL:stemmer=yes",
  },
  /** One segment at a time. BLEU's tokenizer follows the target language. */
  translation: {
    name: "translation",
    promptPath: bundledPrompt("translation.jinja"),
    maxTokens: 256,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["bleu", "chrf"],
    primary: "chrf",
  },
  /** One label out of two. */
  "yes-no": {
    name: "yes-no",
    promptPath: bundledPrompt("yes-no.jinja"),
    maxTokens: 16,
    stop: { chat: [], raw: ["\n"] },
    metrics: ["accuracy", "over-long"],
    primary: "accuracy",
  },
  /** Whatever the user's own prompt file asks. */
  custom: {
    name: "custom",
    promptPath: undefined,
    maxTokens: 128,
    stop: { chat: [], raw: [] },
    metrics: ["em", "f1", "contains"],
    primary: "f1",
  },
};

/** @throws UsageError with the nearest name when there is no such task. */
export function taskByName(name: string): Task {
  const known = taskNames.find((taskName) => taskName === name);
  if (known) return tasks[known];
  throw new UsageError({
    what: "unknown task",
    actual: JSON.stringify(name),
    expected: taskNames.join(", "),
    fix: `Did you mean ${closest(name, [...taskNames])}?`,
  });
}
