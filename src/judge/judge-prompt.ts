import { createHash } from "node:crypto";
import { closest } from "fastest-levenshtein";
import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import type { Sample } from "../samples/sample.js";
import { bundledPrompt, loadPrompt, renderPrompt, type PromptTemplate } from "../tasks/prompt.js";

/** Hexadecimal digits of a fence: more than anybody can find a text for. */
const FENCE_DIGITS = 16;

/** Tasks that have a question to judges of their own. */
export const judgedTasks = ["summary", "translation", "qa", "math", "yes-no", "custom"] as const;
export type JudgedTask = (typeof judgedTasks)[number];

/** What a judge is asked about each sample: a jinja file and the task, which the file can use as `task`. */
export interface JudgePrompt {
  readonly template: PromptTemplate;
  readonly task: JudgedTask;
  /** First 8 hexadecimal digits of the SHA-256 of the task and the file's text: the `prompt` field of signatures. */
  readonly sha8: string;
}

/**
 * The question to judges that give marks (`score`) or compare two answers (`pair`): the task's own, or the jinja file at `path`.
 * @throws FileError, TemplateError.
 */
export async function loadJudgePrompt(kind: "score" | "pair", task: JudgedTask, path?: string): Promise<JudgePrompt> {
  const bundled = bundledPrompt(kind === "pair" ? "judge-pair.jinja" : `judge-score-${task}.jinja`);
  const template = await loadPrompt(path ?? bundled);
  const sha8 = createHash("sha256").update(`${task}\n${template.source}`).digest("hex").slice(0, 8);
  return { template, task, sha8 };
}

/** @throws UsageError when judges know no such task, with the nearest name. */
export function judgedTask(name: string): JudgedTask {
  const task = judgedTasks.find((known) => known === name);
  if (task !== undefined) return task;
  throw new UsageError({
    what: "judges have no question for this task",
    actual: JSON.stringify(name),
    expected: judgedTasks.join(", "),
    fix: `Did you mean ${closest(name, [...judgedTasks])}?`,
  });
}

/**
 * The question about one prediction. The template sees the sample's variables, `fields` (the same as a list of `name` and `value`, so
 * that it can show a source whatever its fields are called), `task`, `prediction`, `references`, `reference` (the first) and `fence`,
 * digits for the tags around them that none of them contains.
 * @throws SampleError when the template fails on it.
 */
export function scoreQuestion(prompt: JudgePrompt, sample: Sample, prediction: string, dataPath: string): string {
  const { references } = sample;
  return question(prompt, sample, { prediction, references, reference: at(references, 0) }, dataPath);
}

/** The question which of two answers is better; the template sees `answer_a` and `answer_b` in the place of the prediction. */
export function pairQuestion(
  prompt: JudgePrompt,
  sample: Sample,
  [answerA, answerB]: readonly [string, string],
  dataPath: string,
): string {
  const { references } = sample;
  const answers = { answer_a: answerA, answer_b: answerB, references, reference: at(references, 0) };
  return question(prompt, sample, answers, dataPath);
}

function question(
  { template, task }: JudgePrompt,
  sample: Sample,
  judged: Readonly<Record<string, unknown>>,
  dataPath: string,
): string {
  const material = { fields: fieldsOf(sample), ...judged };
  const variables = { ...sample.variables, ...material, task, fence: fenceOf(material) };
  return renderPrompt(template, { ...sample, variables }, dataPath);
}

function fieldsOf({ variables }: Sample): { name: string; value: string }[] {
  return Object.entries(variables)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => ({
      name: name.replace(/[<>\p{C}]/gu, "_"),
      value: typeof value === "string" ? value : JSON.stringify(value),
    }));
}

/**
 * Digits for the tags around the material: they depend on all of it, so that no text in it can close its own tag and go on as if it were
 * the question.
 */
function fenceOf(material: Readonly<Record<string, unknown>>): string {
  return createHash("sha256").update(JSON.stringify(material)).digest("hex").slice(0, FENCE_DIGITS);
}
