import { toolCallsIn } from "../metrics/json.js";
import { parsedJson } from "../parsed-json.js";
import { wordCount } from "../samples/grouping.js";
import type { Sample } from "../samples/sample.js";

/** What answers to training data are scored with, and why. */
export interface ChatMetrics {
  /** As the settings of a sweep name them. */
  readonly settings: { readonly metric: string; readonly metrics?: string; readonly confirm?: string };
  /** For a reader: one sentence. */
  readonly reason: string;
}

/** References of so many words or fewer are short answers: they can be met word for word. */
const SHORT_WORDS = 8;
/** A file is of one kind of references where more than this share of them is. */
const MOST = 0.9;

/** The metrics that fit the references: exact ones for short answers; for long ones their likelihood, and overlaps where the choice is confirmed. */
export function chatMetrics(samples: readonly Pick<Sample, "references">[]): ChatMetrics {
  const firsts = samples.map(({ references: [first = ""] }) => first);
  const most = (is: (reference: string) => boolean): boolean => firsts.filter(is).length > MOST * firsts.length;
  if (most((reference) => toolCallsIn(reference) !== undefined)) {
    return {
      settings: { metric: "tool-arguments", metrics: "tool-name,tool-arguments,f1" },
      reason: "K is chosen by tool-arguments: the references are calls of tools (--metric takes another).",
    };
  }
  if (most((reference) => /^\s*[[{]/.test(reference) && parsedJson(reference) !== undefined)) {
    return {
      settings: { metric: "json-equal", metrics: "json-valid,json-equal,f1" },
      reason: "K is chosen by json-equal: the references are JSON (--metric takes another).",
    };
  }
  const words = firsts.map(wordCount);
  const middle = [...words].sort((a, b) => a - b)[Math.floor(words.length / 2)] ?? 0;
  if (middle <= SHORT_WORDS) {
    return {
      settings: { metric: "contains", metrics: "em,f1,contains" },
      reason: `K is chosen by contains: half of the references have at most ${wordsOf(middle)}, and such answers can be met word for word (--metric takes another).`,
    };
  }
  return {
    settings: { metric: "nll", confirm: "rougeL,chrf,f1" },
    reason: `K is chosen by nll, how probable the references are: half of them have at least ${wordsOf(middle)}, and such answers are seldom met word for word (--metric takes another). The holdout is answered too, for ROUGE-L, chrF and F1.`,
  };
}

function wordsOf(count: number): string {
  return count === 1 ? "1 word" : `${count} words`;
}
