import { normalizeAnswer, normalizedTokens } from "./normalize.js";
import { bestOverReferences } from "./references.js";
import { noOverlap, tokenOverlap, type TokenOverlap } from "./squad.js";

/** Answers that HotpotQA counts as right or wrong as a whole. */
const wholeAnswers: ReadonlySet<string> = new Set(["yes", "no", "noanswer"]);

/**
 * Token F1 of the answer by HotpotQA's rules, 0-1: as SQuAD v1.1, but when either side is exactly yes, no or noanswer and
 * the two differ, 0 ("yes, it is" against "yes" scores nothing). Best over the references. HotpotQA's exact match is SQuAD v1.1's.
 *
 * Source: `f1_score` of hotpot_evaluate_v1.py.
 */
export function hotpotF1(prediction: string, references: readonly string[]): number {
  return bestOverReferences(references, (reference) => hotpotOverlap(prediction, reference).f1);
}

/** Token precision of the answer, 0-1, best over the references: `prec` of hotpot_evaluate_v1.py. */
export function hotpotPrecision(prediction: string, references: readonly string[]): number {
  return bestOverReferences(references, (reference) => hotpotOverlap(prediction, reference).precision);
}

/** Token recall of the answer, 0-1, best over the references: `recall` of hotpot_evaluate_v1.py. */
export function hotpotRecall(prediction: string, references: readonly string[]): number {
  return bestOverReferences(references, (reference) => hotpotOverlap(prediction, reference).recall);
}

function hotpotOverlap(prediction: string, reference: string): TokenOverlap {
  const [predicted, expected] = [normalizeAnswer(prediction), normalizeAnswer(reference)];
  if (predicted !== expected && (wholeAnswers.has(predicted) || wholeAnswers.has(expected))) return noOverlap;
  return tokenOverlap(normalizedTokens(predicted), normalizedTokens(expected));
}
