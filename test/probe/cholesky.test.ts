import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { choleskyRows, solveTransposed } from "../../src/probe/cholesky.js";

const SIZE = 5;
/** A A' + 1, which is positive definite. */
const definite = fc
  .array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: SIZE * SIZE, maxLength: SIZE * SIZE })
  .map((a) =>
    Float64Array.from({ length: SIZE * SIZE }, (_, at) => {
      const [i, j] = [Math.floor(at / SIZE), at % SIZE];
      const inner = Array.from({ length: SIZE }, (_unused, k) => a[i * SIZE + k]! * a[j * SIZE + k]!);
      return inner.reduce((sum, value) => sum + value, i === j ? 1 : 0);
    }),
  );

describe("the Cholesky decomposition", () => {
  it("gives the matrix back", () => {
    fc.assert(
      fc.property(definite, (matrix) => {
        const rows = choleskyRows(matrix, SIZE);
        for (let i = 0; i < SIZE; i++) {
          for (let j = 0; j <= i; j++) {
            const inner = rows[j]!.reduce((sum, value, k) => sum + value * rows[i]![k]!, 0);
            expect(inner).toBeCloseTo(matrix[i * SIZE + j]!, 8);
          }
        }
      }),
    );
  });

  it("is solved by its transpose", () => {
    const rows = choleskyRows(Float64Array.of(4, 2, 2, 5), 2);
    expect(rows.map((row) => [...row])).toEqual([[2], [1, 2]]);
    // L' = [[2, 1], [0, 2]]
    expect([...solveTransposed(rows, Float64Array.of(5, 6))]).toEqual([1, 3]);
  });

  it.each([[[1, 2, 2, 1]], [[0, 0, 0, 0]], [[Number.NaN, 0, 0, 1]]])("refuses %j", (values) => {
    expect(() => choleskyRows(Float64Array.from(values), 2)).toThrow(/not positive definite/);
  });
});
