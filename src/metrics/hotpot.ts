import { normalizeAnswer, normalizedTokens } from "./normalize.js";
import { bestOverReferences } from "./references.js";
import { tokenF1 } from "./squad.js";

/** Answers that HotpotQA counts as right or wrong as a whole. */
const wholeAnswers: ReadonlySet<string> = new Set(["yes", "no", "noanswer"]);

/**
 * Token F1 of the answer by HotpotQA's rules, 0-1: as SQuAD v1.1, but when either side is exactly yes, no or noanswer and
 * the two differ, 0 ("yes, it is" against "yes" scores nothing). Best over the references. HotpotQA's exact match is SQuAD v1.1's.
 *
 * Source: `f1_score` of hotpot_evaluate_v1.py.
 */
export function hotpotF1(prediction: string, references: readonly string[]): number {
  const predicted = normalizeAnswer(prediction);
  return bestOverReferences(references, (reference) => {
    const expected = normalizeAnswer(reference);
    if (predicted !== expected && (wholeAnswers.has(predicted) || wholeAnswers.has(expected))) return 0;
    return tokenF1(normalizedTokens(predicted), normalizedTokens(expected));
  });
}
