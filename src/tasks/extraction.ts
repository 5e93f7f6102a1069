import { UsageError, messageOf } from "../errors.js";

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
 * @throws UsageError when the expression cannot be parsed.
 */
export function regexExtraction(pattern: string): Extraction {
  const expression = parse(pattern);
  const extract = (output: string): string => {
    const match = [...output.slice(-SEARCHED_CHARACTERS).matchAll(expression)].at(-1);
    if (!match) return "";
    const group = match.slice(1).find((text: string | undefined) => text !== undefined);
    return (match.length > 1 ? (group ?? "") : match[0]).trim();
  };
  return Object.assign(extract, { pattern });
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
