import { describe, expect, it } from "vitest";
import { chiSquareQuantile } from "../../src/statistics/distributions.js";
import { rootMeanSquare } from "../../src/statistics/root-mean-square.js";
import { gaussian } from "../support/tiny-model.js";

describe("the root of a mean of squares", () => {
  it("has the chi-square interval of a standard deviation where the values spread as normal ones", () => {
    // Squares 1, 1, 1, 9: their spread is less than that of normal values, so there are four degrees of freedom.
    const { value, standardError, low, high } = rootMeanSquare([1, -1, 1, 3]);
    expect(value).toBeCloseTo(Math.sqrt(3), 12);
    expect(standardError).toBeCloseTo(Math.sqrt(3) / Math.sqrt(8), 9);
    // Quantiles of chi-square with 4 degrees of freedom, as tables have them: 0.484 and 11.143.
    expect(low).toBeCloseTo(Math.sqrt((3 * 4) / 11.143), 3);
    expect(high).toBeCloseTo(Math.sqrt((3 * 4) / 0.4844), 3);
  });

  it("is less sure of values of which few are large", () => {
    const even = rootMeanSquare([2, -2, 2, -2, 2, -2, 2, -2]);
    const uneven = rootMeanSquare([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, Math.sqrt(32)]);
    expect(uneven.value).toBeCloseTo(even.value, 2);
    expect(uneven.standardError).toBeGreaterThan(1.5 * even.standardError);
    expect(uneven.high / uneven.low).toBeGreaterThan(2 * (even.high / even.low));
  });

  it("is 0 without doubt where all values are", () => {
    expect(rootMeanSquare([0, 0])).toEqual({ value: 0, standardError: 0, low: 0, high: 0 });
  });

  it("covers the truth about as often as it says, also for products of normal values", () => {
    const random = gaussian(7);
    const coverage = (draw: () => number): number => {
      const trials = 1500;
      const hits = Array.from({ length: trials }).filter(() => {
        const { low, high } = rootMeanSquare(Array.from({ length: 8 }, draw));
        return low <= 1 && 1 <= high;
      });
      return hits.length / trials;
    };
    expect(Math.abs(coverage(random) - 0.95)).toBeLessThan(0.03);
    // Their fourth moment is three times that of normal values, which eight of them do not show.
    const product = coverage(() => random() * random());
    expect(product).toBeGreaterThan(0.75);
    expect(product).toBeLessThan(0.95);
  });

  it("takes chi-square quantiles as tables have them", () => {
    expect(chiSquareQuantile(0.975, 10)).toBeCloseTo(20.483, 3);
    expect(chiSquareQuantile(0.025, 2.5)).toBeGreaterThan(chiSquareQuantile(0.025, 2));
  });
});
