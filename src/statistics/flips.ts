import { at } from "../assert.js";
import { BoundaryError } from "../errors.js";

/** Number of samples by how a compares with b: better, worse, same. Throws {@link BoundaryError} when the lengths differ. */
export function flips(
  a: readonly number[],
  b: readonly number[],
): { readonly better: number; readonly worse: number; readonly same: number } {
  const all = differences(a, b);
  const better = all.filter((difference) => difference > 0).length;
  const worse = all.filter((difference) => difference < 0).length;
  return { better, worse, same: all.length - better - worse };
}

function differences(a: readonly number[], b: readonly number[]): readonly number[] {
  if (a.length !== b.length) {
    throw new BoundaryError({
      what: "paired values do not belong to the same samples",
      actual: `${a.length} and ${b.length} values`,
      expected: "as many of the one as of the other",
    });
  }
  return a.map((value, index) => value - at(b, index));
}
