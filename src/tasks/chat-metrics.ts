import type { Sample } from "../samples/sample.js";

/** What answers to training data are scored with, and why. */
export interface ChatMetrics {
  readonly metrics: string;
  readonly primary: string;
  /** For a reader: one sentence. */
  readonly reason: string;
}

/** References of so many words or fewer are short answers: they can be met word for word. */
const SHORT_WORDS = 8;

/** The metrics that fit the references: exact ones for short answers, overlaps for long ones. */
export function chatMetrics(samples: readonly Pick<Sample, "references">[]): ChatMetrics {
  const words = samples.map(({ references: [first = ""] }) => first.split(/\s+/).filter((word) => word !== "").length);
  const middle = [...words].sort((a, b) => a - b)[Math.floor(words.length / 2)] ?? 0;
  const isShort = middle <= SHORT_WORDS;
  return isShort
    ? {
        metrics: "em,f1,contains",
        primary: "contains",
        reason: `K is chosen by contains: half of the references have at most ${wordsOf(middle)}, and such answers can be met word for word (--metric takes another).`,
      }
    : {
        metrics: "rougeL,chrf,f1,contains",
        primary: "rougeL",
        reason: `K is chosen by rougeL: half of the references have at least ${wordsOf(middle)}, and such answers are seldom met word for word (--metric takes another).`,
      };
}

function wordsOf(count: number): string {
  return count === 1 ? "1 word" : `${count} words`;
}
