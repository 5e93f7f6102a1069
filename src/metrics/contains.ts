import { normalizeAnswer } from "./normalize.js";
import { bestOverReferences } from "./references.js";

/**
 * 1 when the prediction holds some reference as an unbroken run of whole tokens, else 0; both sides normalised as SQuAD
 * v1.1 does. A reference that normalises to nothing is held by every prediction.
 *
 * Source: "how completely the generated response contains the label" of arXiv 2503.23360; there is no official script.
 */
export function containsTokens(prediction: string, references: readonly string[]): number {
  const predicted = ` ${normalizeAnswer(prediction)} `;
  return bestOverReferences(references, (reference) => {
    const label = normalizeAnswer(reference);
    return label === "" || predicted.includes(` ${label} `) ? 1 : 0;
  });
}

/** As {@link containsTokens}, but the label may begin and end inside words: "art" is held by "Bart". 0 or 1. */
export function containsPlain(prediction: string, references: readonly string[]): number {
  const predicted = normalizeAnswer(prediction);
  return bestOverReferences(references, (reference) => (predicted.includes(normalizeAnswer(reference)) ? 1 : 0));
}
