import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tangoEnds, wilsonEnds } from "../../src/statistics/proportions.js";

describe("wilsonEnds", () => {
  // Expected numbers: scipy.stats.binomtest(...).proportion_ci(method="wilson").
  it.each([
    [0, 30, 0, 0.11351339317396875],
    [7, 50, 0.06950833427016292, 0.26186193710585537],
    [50, 100, 0.4038315303659956, 0.5961684696340044],
    [99, 100, 0.9455138038212946, 0.9982325679358593],
  ])("of %d right in %d", (right, samples, low, high) => {
    const ends = wilsonEnds(right, samples, 0.95);
    expect(ends.low).toBeCloseTo(low, 9);
    expect(ends.high).toBeCloseTo(high, 9);
  });
});

describe("tangoEnds", () => {
  // Expected numbers: the same score test inverted in SciPy, with the constrained likelihood maximised by search.
  it.each([
    [12, 2, 50, 0.0611124064256, 0.3447087474442],
    [0, 0, 100, -0.036993498207, 0.036993498207],
    [5, 3, 40, -0.1012081041038, 0.2044599719937],
    [20, 31, 400, -0.0638896215882, 0.0077351954396],
    [0, 6, 120, -0.1048028853624, -0.0174298745734],
  ])("of %d better and %d worse in %d", (better, worse, samples, low, high) => {
    const ends = tangoEnds(better, worse, samples, 0.95);
    expect(ends.low).toBeCloseTo(low, 8);
    expect(ends.high).toBeCloseTo(high, 8);
  });

  it("holds the estimate, stays in range, mirrors, and rules out 0 where the score test does", () => {
    const counts = fc.tuple(fc.nat(60), fc.nat(60), fc.nat(200)).filter(([b, c, rest]) => b + c + rest > 0);
    fc.assert(
      fc.property(counts, ([better, worse, rest]) => {
        const samples = better + worse + rest;
        const { low, high } = tangoEnds(better, worse, samples, 0.95);
        const estimate = (better - worse) / samples;
        expect(low).toBeGreaterThanOrEqual(-1);
        expect(low).toBeLessThanOrEqual(estimate + 1e-12);
        expect(high).toBeGreaterThanOrEqual(estimate - 1e-12);
        expect(high).toBeLessThanOrEqual(1);
        const mirrored = tangoEnds(worse, better, samples, 0.95);
        expect(mirrored.low).toBeCloseTo(-high, 9);
        const square = better + worse === 0 ? 0 : (better - worse) ** 2 / (better + worse);
        const isSignificant = square > 3.841458820694124;
        if (Math.abs(square - 3.841458820694124) > 1e-6) expect(low > 0 || high < 0).toBe(isSignificant);
      }),
    );
  });
});
