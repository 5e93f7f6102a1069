import { withoutThoughts } from "../tasks/thoughts.js";

/** The best mark; marks are the integers from 0 to it. Source: arXiv 2503.23360, appendix A.2. */
export const BEST_MARK = 10;

/** Which of the two answers shown is the better one. */
export type Preference = "A" | "B";

/** Longest text that can be a verdict with all that may surround it, in characters; anything longer is not looked at. */
const LONGEST_VERDICT = 100;

/** Words that may stand before the verdict. */
const MARK_LABEL = /^(?:(?:my|the|final|overall)\s+)*(?:score|rating|grade|mark)\s*(?:is\b|:|=)?\s*/i;
const PREFERENCE_LABEL = /^(?:(?:my|the|final|better)\s+)*(?:answer|option|choice|verdict)\s*(?:is\b|:|=)?\s*/i;

/** An integer (`8`, also `8.0`), alone or out of ten. */
const MARK = /^(\d{1,2})(?:\.0+)?(?:\s*(?:\/|out of)\s*10)?$/i;

/** Marks of emphasis, quotes and brackets around a verdict, and a full stop behind it. */
const WRAPPING = /^[\s*_`"'“”‘’([]+|[\s*_`"'“”‘’)\].]+$/g;

/**
 * The mark in a judge's answer as a share of the best one, 0-1. The answer must be an integer from 0 to 10 and nothing else, but for
 * thoughts, emphasis, quotes, a label (`Score: 8`), `/10` and a full stop. Anything else is undefined: two numbers, a range, a
 * fraction, a number in words, an explanation beside it.
 */
export function parseMark(answer: string): number | undefined {
  const digits = MARK.exec(bare(answer, MARK_LABEL))?.[1];
  if (digits === undefined || (digits.length > 1 && digits.startsWith("0"))) return undefined;
  const mark = Number(digits);
  return mark <= BEST_MARK ? mark / BEST_MARK : undefined;
}

/** The preference in a judge's answer: the letter A or B in either case and nothing else, as tolerant as {@link parseMark}. */
export function parsePreference(answer: string): Preference | undefined {
  const letter = bare(answer, PREFERENCE_LABEL).toUpperCase();
  return letter === "A" || letter === "B" ? letter : undefined;
}

function bare(answer: string, label: RegExp): string {
  // NFKC turns the full-width digits and colons of Chinese models into plain ones.
  const text = withoutThoughts(answer);
  if (text.length > LONGEST_VERDICT) return "";
  return text.normalize("NFKC").replace(WRAPPING, "").replace(label, "").replace(WRAPPING, "");
}
