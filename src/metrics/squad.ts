import { normalizeAnswer, normalizedTokens } from "./normalize.js";
import { bestOverReferences } from "./references.js";

/** Exact match by SQuAD v1.1's rules: 1 when some reference equals the prediction after normalisation, else 0. Source: evaluate-v1.1.py. */
export function squadExactMatch(prediction: string, references: readonly string[]): number {
  const predicted = normalizeAnswer(prediction);
  return bestOverReferences(references, (reference) => (normalizeAnswer(reference) === predicted ? 1 : 0));
}

/**
 * Token F1 by SQuAD v1.1's rules, 0-1: the best over the references, taken apart from exact match. Two empty sides score 0.
 * Source: evaluate-v1.1.py.
 */
export function squadF1(prediction: string, references: readonly string[]): number {
  const predicted = normalizedTokens(normalizeAnswer(prediction));
  return bestOverReferences(references, (reference) =>
    tokenF1(predicted, normalizedTokens(normalizeAnswer(reference))),
  );
}

/** Exact match by SQuAD v2.0's rules, 0 or 1; the reference "" stands for "no answer". Source: evaluate-v2.0.py, `get_raw_scores`. */
export function squad2ExactMatch(prediction: string, references: readonly string[]): number {
  return squadExactMatch(prediction, answerableReferences(references));
}

/** Token F1 by SQuAD v2.0's rules, 0-1: where a side is empty, 1 if both are, else 0. Source: evaluate-v2.0.py, `compute_f1`. */
export function squad2F1(prediction: string, references: readonly string[]): number {
  const predicted = normalizedTokens(normalizeAnswer(prediction));
  return bestOverReferences(answerableReferences(references), (reference) => {
    const expected = normalizedTokens(normalizeAnswer(reference));
    if (predicted.length === 0 || expected.length === 0) return predicted.length === expected.length ? 1 : 0;
    return tokenF1(predicted, expected);
  });
}

/** How far two lists of tokens overlap, each 0-1. */
export interface TokenOverlap {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Of lists that share nothing. */
export const noOverlap: TokenOverlap = { precision: 0, recall: 0, f1: 0 };

/** F1 of two token lists as bags: {@link tokenOverlap}. */
export function tokenF1(predicted: readonly string[], expected: readonly string[]): number {
  return tokenOverlap(predicted, expected).f1;
}

/**
 * The overlap of two token lists as bags; nothing when they share nothing, so also when one is empty.
 * Source: `f1_score` of evaluate-v1.1.py, in the same order of operations.
 */
export function tokenOverlap(predicted: readonly string[], expected: readonly string[]): TokenOverlap {
  const left = new Map<string, number>();
  for (const token of expected) left.set(token, (left.get(token) ?? 0) + 1);
  let same = 0;
  for (const token of predicted) {
    const count = left.get(token) ?? 0;
    if (count === 0) continue;
    left.set(token, count - 1);
    same += 1;
  }
  if (same === 0) return noOverlap;
  const precision = same / predicted.length;
  const recall = same / expected.length;
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall) };
}

/** The v2.0 script leaves out references that normalise to nothing; when none is left the only right answer is the empty one. */
function answerableReferences(references: readonly string[]): readonly string[] {
  if (references.length === 0) return references;
  const kept = references.filter((reference) => normalizeAnswer(reference) !== "");
  return kept.length > 0 ? kept : [""];
}
