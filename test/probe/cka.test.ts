import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linearCka, unbiasedCka, type Rows } from "../../src/strategy/cka.js";

interface Case {
  readonly samples: number;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly cka: number;
}

/** Made by test/oracle/cka.py with the published code's own function. */
const cases = JSON.parse(readFileSync(new URL("fixtures/cka.json", import.meta.url), "utf8")) as Case[];
const rowsOf = (samples: number, values: readonly number[]): Rows => ({
  samples,
  length: values.length / samples,
  values,
});

describe("linear CKA", () => {
  it("is that of the published code", () => {
    for (const { samples, x, y, cka } of cases) {
      expect(Math.abs(linearCka(rowsOf(samples, x), rowsOf(samples, y)) - cka)).toBeLessThan(1e-6);
    }
    expect(new Set(cases.map(({ cka }) => cka.toFixed(2))).size).toBeGreaterThan(4);
  });

  it("is 1 for what differs by scale and place alone, and symmetric", () => {
    const values = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(values, values, fc.double({ min: 0.1, max: 9, noNaN: true }), (x, y, scale) => {
        fc.pre(new Set(x).size > 6);
        const [a, b] = [rowsOf(8, x), rowsOf(8, y)];
        const moved = rowsOf(
          8,
          x.map((value, i) => scale * value + (i % 3)),
        );
        expect(linearCka(a, moved)).toBeCloseTo(1, 6);
        expect(linearCka(a, b)).toBeCloseTo(linearCka(b, a), 9);
      }),
    );
  });

  it("is 0 for what does not vary at all", () => {
    expect(linearCka(rowsOf(4, [1, 1, 1, 1]), rowsOf(4, [1, 2, 3, 4]))).toBe(0);
  });

  it("refuses other samples and too few", () => {
    expect(() => linearCka(rowsOf(2, [1, 2]), rowsOf(3, [1, 2, 3]))).toThrow(/2 and 3 samples/);
    expect(() => linearCka(rowsOf(1, [1]), rowsOf(1, [2]))).toThrow(/at least 2/);
    expect(() => unbiasedCka(rowsOf(3, [1, 2, 3]), rowsOf(3, [1, 2, 3]))).toThrow(/at least 4/);
  });
});

describe("unbiased CKA", () => {
  /** Normal numbers (Box and Muller) from a fixed sequence (mulberry32). */
  const normal = (seed: number, count: number): number[] => {
    let state = seed;
    const uniform = (): number => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
    return Array.from(
      { length: count },
      () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
  };

  it("tells unrelated features apart where there are more features than samples, and the plain one does not", () => {
    const values = Array.from({ length: 20 }, (_, i) => {
      const [x, y] = [rowsOf(10, normal(2 * i + 1, 1000)), rowsOf(10, normal(2 * i + 2, 1000))];
      return [linearCka(x, y), unbiasedCka(x, y)] as const;
    });
    const mean = (index: 0 | 1): number => values.reduce((sum, pair) => sum + pair[index], 0) / values.length;
    expect(mean(0)).toBeGreaterThan(0.8);
    expect(Math.abs(mean(1))).toBeLessThan(0.05);
  });

  it("is 1 for the same", () => {
    const x = rowsOf(12, normal(5, 60));
    expect(unbiasedCka(x, x)).toBeCloseTo(1, 9);
  });
});
