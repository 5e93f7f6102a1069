import { UsageError, messageOf } from "../errors.js";
import type { Task } from "./task.js";
import { FOREIGN_SECONDS, TimeLimitError, withTimeLimit } from "../formats/time-limit.js";

/** Takes the answer out of an output: what is scored instead of the whole text. */
export interface Extraction {
  (output: string): string;
  /** The regular expression, as it was given. */
  readonly pattern: string;
}

/** Outputs longer than this are searched at their end only: a pattern may take quadratic time. */
const SEARCHED_CHARACTERS = 20_000;

/**
 * An extraction from a regular expression (JavaScript's, with the flags `gmu`): its last match counts, of that the first group that took
 * part, or the whole match where the expression has no groups; without white space at both ends. An output without a match gives the
 * empty answer.
 * @throws UsageError when the expression cannot be parsed; the extraction throws one when the expression takes too long on an output.
 */
export function regexExtraction(pattern: string): Extraction {
  const expression = parse(pattern);
  const extract = (output: string): string => {
    const match = lastMatch(expression, output.slice(-SEARCHED_CHARACTERS));
    if (!match) return "";
    const group = match.slice(1).find((text: string | undefined) => text !== undefined);
    return (match.length > 1 ? (group ?? "") : match[0]).trim();
  };
  return Object.assign(extract, { pattern });
}

/** What a task of the user's own takes for the answer; nothing where it finds none. */
export function taskExtraction({ name, extract }: Pick<Task, "name" | "extract">): Extraction | undefined {
  if (!extract) return undefined;
  return Object.assign((output: string) => extract(output) ?? "", { pattern: `task ${name}` });
}

function lastMatch(expression: RegExp, text: string): RegExpExecArray | undefined {
  try {
    return withTimeLimit(() => [...text.matchAll(expression)].at(-1));
  } catch (cause) {
    if (!(cause instanceof TimeLimitError)) throw cause;
    throw new UsageError({
      what: `the pattern of --extract takes longer than ${FOREIGN_SECONDS} s on an output of ${text.length} characters`,
      actual: JSON.stringify(expression.source),
      fix: "Write it without repetitions inside repetitions.",
      cause,
    });
  }
}

function parse(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "gmu");
  } catch (cause) {
    throw new UsageError({
      what: "the pattern of --extract is not a regular expression",
      actual: messageOf(cause),
      expected: 'a pattern such as "answer is (.+)"',
      cause,
    });
  }
}
