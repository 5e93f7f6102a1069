import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import { bundledPrompt } from "./prompt.js";

/** What is asked of the model and how its answers are scored. */
export interface Task {
  readonly name: string;
  /** Path of the jinja file with the user message. */
  readonly promptPath: string;
  /** Most tokens of an answer unless the user says otherwise. */
  readonly maxTokens: number;
  /** Strings that end an answer, by the template in use; a chat model ends its turn by itself. */
  readonly stop: Readonly<Record<"chat" | "raw", readonly string[]>>;
  /** Metrics shown, in the order of the table. */
  readonly metrics: readonly string[];
  /** The metric that chooses the boundary unless the user says otherwise. */
  readonly primary: string;
}

/** Question answering with a short span. Primary is contains in token form, which is what [B] (arXiv 2503.23360) calls EM. */
const qa: Task = {
  name: "qa",
  promptPath: bundledPrompt("qa.jinja"),
  maxTokens: 32,
  stop: { chat: [], raw: ["\n"] },
  metrics: ["em", "f1", "contains"],
  primary: "contains",
};

const tasks: ReadonlyMap<string, Task> = new Map([[qa.name, qa]]);

/** Names of the tasks, sorted. */
export const taskNames: readonly string[] = [...tasks.keys()].sort();

/** @throws UsageError with the nearest name when there is no such task. */
export function taskByName(name: string): Task {
  const task = tasks.get(name);
  if (task) return task;
  throw new UsageError({
    what: "unknown task",
    actual: JSON.stringify(name),
    expected: taskNames.join(", "),
    fix: `Did you mean ${closest(name, [...taskNames])}?`,
  });
}
