import { describe, expect, it } from "vitest";
import { bcaEnds, percentileEnds, quantile } from "../../src/statistics/bootstrap-ends.js";

const data = Array.from({ length: 40 }, (_, i) => ((i * i) % 11) / 10);
const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
/** A made-up bootstrap distribution, skewed and not in order. */
const resampled = Float64Array.from({ length: 999 }, (_, i) => {
  return 100 * (mean + 0.05 * Math.sin(1.7 * i) * (((i * 37) % 101) / 101) ** 2 + 0.002 * Math.cos(i));
});
const leftOut = Float64Array.from(data, (value) => (100 * (mean * data.length - value)) / (data.length - 1));

// Expected numbers: scipy.stats.bootstrap 1.17 with this `bootstrap_distribution`.
describe("percentileEnds and bcaEnds", () => {
  it.each([
    [0.95, 35.75509362129009, 42.921456092710585, 35.8391342833545, 42.963376788100675],
    [0.8, 37.295776419314784, 41.2736759053092, 37.34098561082147, 41.35121381142508],
  ])("agree with SciPy at level %d", (level, low, high, bcaLow, bcaHigh) => {
    const percentile = percentileEnds(resampled, level);
    expect(percentile.low).toBeCloseTo(low, 9);
    expect(percentile.high).toBeCloseTo(high, 9);
    const bca = bcaEnds(resampled, 100 * mean, leftOut, level);
    expect(bca.low).toBeCloseTo(bcaLow, 6);
    expect(bca.high).toBeCloseTo(bcaHigh, 6);
  });

  it("stay finite where the estimate lies outside all resampled values", () => {
    for (const estimate of [0, 100]) {
      const { low, high } = bcaEnds(resampled, estimate, leftOut, 0.95);
      expect(Number.isFinite(low) && Number.isFinite(high)).toBe(true);
      expect(low).toBeLessThanOrEqual(high);
    }
  });

  it("leave the values in their order", () => {
    const before = resampled.slice();
    percentileEnds(resampled, 0.9);
    bcaEnds(resampled, 100 * mean, leftOut, 0.9);
    expect(resampled).toEqual(before);
  });
});

describe("quantile", () => {
  it("interpolates between neighbours", () => {
    const sorted = Float64Array.of(1, 2, 4);
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile(sorted, share))).toEqual([1, 1.5, 2, 3, 4]);
    expect(quantile(Float64Array.of(7), 0.3)).toBe(7);
  });
});
