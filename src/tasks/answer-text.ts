import type { Metric, SignaturePart } from "../metrics/metric.js";
import type { Extraction } from "./extraction.js";
import { stripThoughts, type ThoughtMarks } from "./thoughts.js";

/** What of an output is scored. */
export interface AnswerReading {
  /** Marks of the thoughts that are left out; none leaves the output as it is. */
  readonly thoughts: readonly ThoughtMarks[];
  /** Takes the scored answer out of what is left. */
  readonly extract: Extraction | undefined;
  /** Whether white space at both ends is left out, as it is of what a sweep generates; outputs that a user gives are taken as given. */
  readonly trim: boolean;
}

/** The text of an output that is scored. */
export function answerText(output: string, { thoughts, extract, trim }: AnswerReading): string {
  const stripped = stripThoughts(output, thoughts);
  const answer = trim ? stripped.trim() : stripped;
  return extract === undefined ? answer : extract(answer);
}

/** The metrics with signatures that say what was done to the outputs before they were scored: `strip:thoughts+space`, `extract:...`. */
export function withReading(metrics: readonly Metric[], { thoughts, extract, trim }: AnswerReading): Metric[] {
  const stripped = [...(thoughts.length > 0 ? ["thoughts"] : []), ...(trim ? ["space"] : [])];
  const parts: SignaturePart[] = [
    ...(stripped.length > 0 ? [["strip", stripped.join("+")] as const] : []),
    ...(extract === undefined ? [] : [["extract", extract.pattern.replace(/[%|\s]/g, encodeURIComponent)] as const]),
  ];
  return metrics.map((metric) => ({ ...metric, signatureParts: [...metric.signatureParts, ...parts] }));
}
