import { at } from "../assert.js";
import { containsTokens } from "../metrics/contains.js";
import { normalizeAnswer } from "../metrics/normalize.js";

/** What became of the samples whose score fell. Counts of samples. */
export interface ErrorAnalysis {
  /** Samples whose score is lower than the reference system's. */
  readonly fell: number;
  /** Of those: the system's answer contains the reference system's answer. */
  readonly containsOther: number;
  /** Of those: the reference system's answer contains the system's. */
  readonly containedInOther: number;
  /** Of those: either of the two. */
  readonly oneContainsOther: number;
  /** Of those: both answers contain a label. */
  readonly bothRight: number;
}

/**
 * Looks at the samples whose score fell: an answer that only grew or shrank around the same words is another fault than a wrong one.
 * Answers are compared as SQuAD normalises them, by whole tokens.
 * Source: arXiv 2503.23360, section 6.7, which does it for F1.
 * @param scores per-sample values of the two systems, in the order of their answers.
 */
export function analyseErrors(
  scores: { readonly system: readonly number[]; readonly reference: readonly number[] },
  answers: { readonly system: readonly string[]; readonly reference: readonly string[] },
  labels: readonly (readonly string[])[],
): ErrorAnalysis {
  const fallen = scores.system.flatMap((value, i) => (value < (scores.reference[i] ?? value) ? [i] : []));
  const facts = fallen.map((i) => {
    const [own = "", other = ""] = [answers.system[i], answers.reference[i]];
    const expected = at(labels, i);
    const containsOther = holds(own, other);
    const containedInOther = holds(other, own);
    const bothRight = [own, other].every((answer) => containsTokens(answer, expected) === 1);
    return { containsOther, containedInOther, oneContainsOther: containsOther || containedInOther, bothRight };
  });
  const count = (key: keyof (typeof facts)[number]): number => facts.filter((fact) => fact[key]).length;
  return {
    fell: fallen.length,
    containsOther: count("containsOther"),
    containedInOther: count("containedInOther"),
    oneContainsOther: count("oneContainsOther"),
    bothRight: count("bothRight"),
  };
}

/** Whether an answer holds another one; the empty answer is held by none. */
function holds(answer: string, other: string): boolean {
  return normalizeAnswer(other) !== "" && containsTokens(answer, [other]) === 1;
}
