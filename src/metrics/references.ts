import { BoundaryError } from "../errors.js";

/**
 * The best value over the references, each compared by itself. Throws {@link BoundaryError} without a reference.
 *
 * Source: `metric_max_over_ground_truths` of SQuAD's evaluate-v1.1.py.
 */
export function bestOverReferences(references: readonly string[], compare: (reference: string) => number): number {
  assertReferences(references);
  let best = 0;
  for (const reference of references) best = Math.max(best, compare(reference));
  return best;
}

/** @throws BoundaryError when there is no reference: a prediction cannot be scored then. */
export function assertReferences(references: readonly unknown[]): void {
  if (references.length === 0) {
    throw new BoundaryError({
      what: "a prediction cannot be scored without a reference",
      actual: "no reference",
      expected: "at least one",
    });
  }
}
