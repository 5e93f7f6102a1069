import { describe, expect, it } from "vitest";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { flips, meanInterval, pairedDifference } from "../../src/statistics/bootstrap.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";

const mixed = Array.from({ length: 250 }, (_, index) => (index % 5 === 0 ? 1 : (index % 7) / 10));

describe("meanInterval", () => {
  it("has no width when all values are equal", () => {
    const interval = meanInterval(Array<number>(250).fill(0.3), { seed: 1 });
    expect(interval.mean).toBeCloseTo(30, 10);
    expect(interval.low).toBe(interval.mean);
    expect(interval.high).toBe(interval.mean);
    expect(meanInterval([1], { seed: 1 })).toMatchObject({ mean: 100, low: 100, high: 100 });
  });

  it("says how it was made", () => {
    expect(meanInterval([0, 1], { seed: 1 })).toMatchObject({
      mean: 50,
      method: "percentile bootstrap",
      resamples: 2000,
      level: 0.95,
    });
    expect(meanInterval([0, 1], { seed: 1, resamples: 100, level: 0.9 })).toMatchObject({ resamples: 100, level: 0.9 });
  });

  it("agrees with the normal approximation of a proportion", () => {
    // 100 of 250: 40 +- 1.96 * 100 * sqrt(0.4 * 0.6 / 250) = 40 +- 6.07.
    const { mean, low, high } = meanInterval([...Array<number>(100).fill(1), ...Array<number>(150).fill(0)], {
      seed: 2,
    });
    expect(mean).toBe(40);
    expect(Math.abs(low - 33.93)).toBeLessThan(0.8);
    expect(Math.abs(high - 46.07)).toBeLessThan(0.8);
  });

  it("mirrors mirrored values", () => {
    const interval = meanInterval(mixed, { seed: 4 });
    const mirrored = meanInterval(
      mixed.map((value) => 1 - value),
      { seed: 4 },
    );
    expect(mirrored.low).toBeCloseTo(100 - interval.high, 9);
    expect(mirrored.high).toBeCloseTo(100 - interval.low, 9);
  });

  it("is wider at a higher level", () => {
    const width = (level: number): number => {
      const { low, high } = meanInterval(mixed, { seed: 1, level });
      return high - low;
    };
    expect(width(0.99)).toBeGreaterThan(width(0.95));
    expect(width(0.95)).toBeGreaterThan(width(0.5));
  });

  it("is the same for a seed and another for another seed", () => {
    expect(meanInterval(mixed, { seed: 1 })).toEqual(meanInterval(mixed, { seed: 1 }));
    expect(meanInterval(mixed, { seed: 1 })).not.toEqual(meanInterval(mixed, { seed: 2 }));
  });

  it("holds the true mean about as often as its level says", () => {
    const generator = seededGenerator(11);
    let held = 0;
    for (let trial = 0; trial < 300; trial++) {
      const values = Array.from({ length: 80 }, () => (uniformInt(generator, 1, 10) <= 4 ? 1 : 0));
      const { low, high } = meanInterval(values, { seed: trial, resamples: 400 });
      if (low <= 40 && 40 <= high) held += 1;
    }
    // 285 of 300 expected at 95 %; the percentile bootstrap of 80 samples falls a little short of its level.
    expect(held).toBeGreaterThan(270);
    expect(held).toBeLessThan(298);
  });

  it("takes well under 100 ms for 2000 resamples of 250 samples", () => {
    meanInterval(mixed, { seed: 1 });
    const start = performance.now();
    meanInterval(mixed, { seed: 2 });
    // Ten times what it takes, for busy machines.
    expect(performance.now() - start).toBeLessThan(300);
  });

  it("refuses no values and options out of range", () => {
    expect(() => meanInterval([], { seed: 1 })).toThrow(BoundaryError);
    for (const options of [{ resamples: 0 }, { resamples: 1.5 }, { level: 0 }, { level: 1 }, { seed: -1 }]) {
      expect(() => meanInterval([1], { seed: 1, ...options })).toThrow(UsageError);
    }
  });
});

describe("pairedDifference", () => {
  it("has no width where every sample differs by the same", () => {
    const { difference, low, high } = pairedDifference([1, 1, 1], [0.5, 0.5, 0.5], { seed: 1 });
    expect([difference, low, high]).toEqual([50, 50, 50]);
    expect(pairedDifference(mixed, mixed, { seed: 1 })).toMatchObject({ difference: 0, low: 0, high: 0 });
  });

  it("is the mean interval of the differences, and turns its sign with its sides", () => {
    const other = mixed.map((value, index) => (index % 3 === 0 ? 1 : value));
    const forward = pairedDifference(other, mixed, { seed: 5 });
    const backward = pairedDifference(mixed, other, { seed: 5 });
    expect(forward.difference).toBeCloseTo(
      meanInterval(other, { seed: 1 }).mean - meanInterval(mixed, { seed: 1 }).mean,
      9,
    );
    expect(forward.low).toBeGreaterThan(0);
    expect(forward.method).toBe("paired percentile bootstrap");
    expect(backward.difference).toBeCloseTo(-forward.difference, 9);
    expect(backward.low).toBeCloseTo(-forward.high, 9);
    expect(backward.high).toBeCloseTo(-forward.low, 9);
  });

  it("is narrower than unpaired values would have it when the samples move together", () => {
    const other = mixed.map((value, index) => (index % 25 === 1 ? 1 : value));
    const { low, high } = pairedDifference(other, mixed, { seed: 5 });
    const alone = meanInterval(mixed, { seed: 5 });
    expect(high - low).toBeLessThan(alone.high - alone.low);
  });

  it("refuses values of other samples", () => {
    expect(() => pairedDifference([1, 0], [1], { seed: 1 })).toThrow(/2 and 1 values/);
    expect(() => pairedDifference([], [], { seed: 1 })).toThrow(BoundaryError);
  });
});

describe("flips", () => {
  it("counts samples by how the first side compares", () => {
    expect(flips([1, 0, 0.5, 1], [0, 1, 0.5, 0.9])).toEqual({ better: 2, worse: 1, same: 1 });
    expect(flips([], [])).toEqual({ better: 0, worse: 0, same: 0 });
    expect(() => flips([1], [])).toThrow(BoundaryError);
  });
});
