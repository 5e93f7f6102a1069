import { describe, expect, it } from "vitest";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { columnsOf, eachOnce } from "../../src/statistics/columns.js";
import { cautiousLow, differenceInterval, differenceStandardError } from "../../src/statistics/difference.js";
import { meanScore, pairOf, ratioScore } from "./scores.js";

const graded = Array.from({ length: 120 }, (_, i) => ((i * 5) % 11) / 10);
const nudged = graded.map((value, i) => (i % 6 === 0 ? Math.min(1, value + 0.3) : i % 10 === 1 ? value / 2 : value));

const left = ratioScore([
  [3, 10],
  [5, 9],
  [2, 8],
  [8, 12],
  [4, 7],
  [7, 11],
  [1, 5],
  [6, 9],
]);
const right = ratioScore([
  [2, 9],
  [5, 9],
  [3, 10],
  [6, 12],
  [4, 8],
  [7, 11],
  [2, 6],
  [5, 8],
]);

describe("differenceInterval", () => {
  it("of zeros and ones is Tango's", () => {
    const [a, b] = pairOf(50, 12, 2, 20);
    const made = differenceInterval(a, b);
    expect(made).toMatchObject({ method: "Tango score interval", level: 0.95, allEqual: false });
    expect(made.estimate).toBeCloseTo(20, 9);
    expect(made.low).toBeCloseTo(6.11124064, 6);
    expect(made.high).toBeCloseTo(34.47087474, 6);
  });

  it("of zeros and ones that never differ is not without width", () => {
    const [a, b] = pairOf(100, 0, 0, 40);
    const { estimate, low, high, allEqual } = differenceInterval(a, b);
    expect([estimate, allEqual]).toEqual([0, true]);
    expect(high).toBeCloseTo(3.69934982, 6);
    expect(low).toBeCloseTo(-high, 9);
  });

  it("of means that change by 1 is Bonett and Price's with Student's quantile", () => {
    // SciPy, for 5 better and 12 worse in 80: scipy.stats.t.interval of the 82 changes with df 79. By the paper's formula, which has the
    // normal quantile and divides by 82 rather than 81, -18.7901 to 1.7169.
    const [a, b] = pairOf(80, 5, 12, 30);
    const [x, y] = [meanScore(a.perSample, false), meanScore(b.perSample, false)];
    const { low, high, method } = differenceInterval(x, y);
    expect(method).toBe("adjusted Student's t interval");
    expect(low).toBeCloseTo(-19.013648876, 6);
    expect(high).toBeCloseTo(1.940478144, 6);
  });

  it("of means is near the plain interval where many samples change a little", () => {
    const { estimate, low, high } = differenceInterval(meanScore(nudged), meanScore(graded));
    const error = differenceStandardError(columnsOf(meanScore(nudged)), columnsOf(meanScore(graded)), eachOnce(120));
    expect((high - low) / (2 * 1.96 * error)).toBeGreaterThan(1);
    expect((high - low) / (2 * 1.96 * error)).toBeLessThan(1.1);
    expect(low).toBeLessThan(estimate);
    expect(high).toBeGreaterThan(estimate);
  });

  it("of a corpus metric is Student's t on the jackknife's pseudo-values and two more", () => {
    // NumPy and SciPy: test/statistics/make_differences_fixture.py.
    const { estimate, low, high, method } = differenceInterval(left, right);
    expect(method).toContain("jackknife");
    expect(estimate).toBeCloseTo(4.1288828863592535, 9);
    expect(low).toBeCloseTo(-3.186791393, 6);
    expect(high).toBeCloseTo(9.793004011, 6);
    // Equal sides do not show that they always would be: as for means.
    const equal = differenceInterval(left, left);
    const still = meanScore(Array<number>(8).fill(0.5));
    expect(equal).toMatchObject({ estimate: 0, allEqual: true });
    expect([equal.low, equal.high]).toEqual([
      differenceInterval(still, still).low,
      differenceInterval(still, still).high,
    ]);
  });

  it.each(["percentile", "bca"] as const)("by the %s bootstrap is about as wide", (method) => {
    const [a, b] = [meanScore(nudged), meanScore(graded)];
    const [analytic, made] = [differenceInterval(a, b), differenceInterval(a, b, { method, resample: { seed: 1 } })];
    expect(made.method).toMatch(/^paired .* bootstrap, 2000 resamples$/);
    expect((made.high - made.low) / (analytic.high - analytic.low)).toBeGreaterThan(0.85);
    expect((made.high - made.low) / (analytic.high - analytic.low)).toBeLessThan(1.15);
    const equal = differenceInterval(a, a, { method });
    expect(equal).toMatchObject({ low: 0, high: 0, allEqual: true });
    const one = differenceInterval(meanScore([1]), meanScore([0]), { method });
    expect(one).toMatchObject({ estimate: 100, low: 100, high: 100, allEqual: true });
  });

  it("turns its sign with its sides", () => {
    for (const [a, b] of [pairOf(90, 7, 3, 10), [meanScore(nudged), meanScore(graded)], [left, right]] as const) {
      const [forward, backward] = [differenceInterval(a, b), differenceInterval(b, a)];
      expect(backward.estimate).toBeCloseTo(-forward.estimate, 9);
      expect(backward.low).toBeCloseTo(-forward.high, 7);
    }
  });

  it("is never without an end", () => {
    for (const samples of [1, 2, 3]) {
      const values = Array.from({ length: samples }, (_, i) => i / 4);
      for (const [a, b] of [
        [meanScore(values), meanScore([...values].reverse())],
        pairOf(samples, 1, 0),
        [ratioScore(values.map((x) => [x, 1])), ratioScore(values.map((x) => [x / 2, 1]))],
      ] as const) {
        const { low, high } = differenceInterval(a, b);
        expect(Number.isFinite(low) && Number.isFinite(high)).toBe(true);
        expect(low).toBeLessThanOrEqual(high);
      }
    }
  });

  it("refuses scores of other samples and a level out of range", () => {
    expect(() => differenceInterval(meanScore([1, 0]), meanScore([1]))).toThrow(BoundaryError);
    expect(() => differenceInterval(left, right, { level: 1 })).toThrow(UsageError);
  });
});

describe("cautiousLow", () => {
  const low = (a: typeof left, b: typeof left): number => cautiousLow(columnsOf(a), columnsOf(b), eachOnce(a.n), 0.95);

  it("is the interval's end for zeros and ones and for corpus metrics", () => {
    const [a, b] = pairOf(200, 3, 9, 80);
    expect(low(a, b)).toBe(differenceInterval(a, b).low);
    expect(low(left, right)).toBe(differenceInterval(left, right).low);
  });

  it("is lower for means: samples that lose all may be among those not seen", () => {
    const [a, b] = [meanScore(nudged), meanScore(graded)];
    expect(low(a, b)).toBeLessThan(differenceInterval(a, b).low);
    // A hundred samples that change by nothing cannot rule out that two in a hundred lose everything.
    const still = meanScore(Array<number>(100).fill(0.5));
    expect(low(still, still)).toBeCloseTo((-100 * 1.9842169515 * Math.sqrt(2 / 101)) / Math.sqrt(102), 4);
  });
});

describe("weights", () => {
  it("count a sample as often as copies of it would", () => {
    const counts = Float64Array.of(2, 0, 1, 3, 1, 0, 1, 2);
    const copies = (rows: readonly (readonly number[])[]): [number, number][] => {
      return rows.flatMap((row, i) => Array.from({ length: counts[i]! }, (): [number, number] => [row[0]!, row[1]!]));
    };
    const weights = { counts, total: 10 };
    const [a, b] = [ratioScore(copies(left.statistics)), ratioScore(copies(right.statistics))];
    const weighted = differenceStandardError(columnsOf(left), columnsOf(right), weights);
    expect(weighted).toBeCloseTo(differenceStandardError(columnsOf(a), columnsOf(b), eachOnce(10)), 9);
    expect(cautiousLow(columnsOf(left), columnsOf(right), weights, 0.95)).toBeCloseTo(differenceInterval(a, b).low, 9);
  });
});
