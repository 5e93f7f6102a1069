import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clopperPearsonEnds } from "../../src/statistics/exact-binomial.js";
import { exactMcNemar } from "../../src/statistics/paired-tests.js";
import { wilsonEnds } from "../../src/statistics/proportions.js";
import { votesFixture } from "./votes-fixture.js";

const { binomial } = votesFixture();

describe("clopperPearsonEnds", () => {
  it("gives SciPy's exact intervals, and the sign test its p values", () => {
    expect(binomial.length).toBeGreaterThan(50);
    for (const [right, samples, level, low, high, p] of binomial) {
      const ends = clopperPearsonEnds(right, samples, level);
      expect(Math.abs(ends.low - low), `low of ${right} in ${samples}`).toBeLessThan(1e-9);
      expect(Math.abs(ends.high - high), `high of ${right} in ${samples}`).toBeLessThan(1e-9);
      expect(Math.abs(exactMcNemar(right, samples - right) - p), `p of ${right} in ${samples}`).toBeLessThan(1e-9);
    }
  });

  it("covers the truth at least as often as it says", () => {
    const samples = 25;
    const ends = Array.from({ length: samples + 1 }, (_, right) => clopperPearsonEnds(right, samples, 0.95));
    for (let share = 0.01; share < 1; share += 0.0137) {
      let probability = (1 - share) ** samples;
      let covered = 0;
      ends.forEach(({ low, high }, right) => {
        if (low <= share && share <= high) covered += probability;
        probability *= ((samples - right) / (right + 1)) * (share / (1 - share));
      });
      expect(covered).toBeGreaterThanOrEqual(0.95 - 1e-12);
    }
  });

  it("holds the estimate, mirrors, agrees with the sign test at one half, and grows with the level", () => {
    const counts = fc.tuple(fc.nat(80), fc.nat(80)).filter(([right, wrong]) => right + wrong > 0);
    fc.assert(
      fc.property(counts, ([right, wrong]) => {
        const samples = right + wrong;
        const { low, high } = clopperPearsonEnds(right, samples, 0.95);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(low).toBeLessThanOrEqual(right / samples);
        expect(high).toBeGreaterThanOrEqual(right / samples);
        expect(high).toBeLessThanOrEqual(1);
        expect(clopperPearsonEnds(wrong, samples, 0.95).low).toBeCloseTo(1 - high, 12);
        expect(low > 0.5 || high < 0.5).toBe(exactMcNemar(right, wrong) < 0.05);
        const wider = clopperPearsonEnds(right, samples, 0.99);
        expect(wider.low).toBeLessThanOrEqual(low);
        expect(wider.high).toBeGreaterThanOrEqual(high);
        expect(wilsonEnds(right, samples, 0.95).high - low).toBeGreaterThan(0);
      }),
    );
  });
});
