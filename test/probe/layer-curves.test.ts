import { describe, expect, it } from "vitest";
import type { LensReading } from "../../src/engine/engine.js";
import { differenceCurve, kneeOfToken, layerCurves } from "../../src/probe/layer-curves.js";

const options = { seed: 1, resamples: 400 };

/** A reading whose tokens have these probabilities after each layer. */
function reading(id: string, tokens: readonly (readonly number[])[]): LensReading {
  const layers = tokens[0]?.length ?? 0;
  const truth = new Float64Array(layers * tokens.length);
  tokens.forEach((row, token) => {
    row.forEach((value, layer) => (truth[layer * tokens.length + token] = value));
  });
  return { id, layers, tokens: tokens.length, truth, highest: truth.map((value) => Math.min(1, value + 0.1)) };
}

const readings = [
  reading("a", [
    [0, 0, 0, 0.4, 0.8],
    [0.1, 0.1, 0.1, 0.1, 0.3],
  ]),
  reading("b", [
    [0.2, 0.2, 0.2, 0.6, 1],
    [0.3, 0.3, 0.3, 0.5, 0.9],
  ]),
  reading("c", [[0.1, 0.1, 0.1, 0.2, 0.3]]),
];

describe("curves over the layers", () => {
  it("are means over the samples that have the token, with an interval around them", () => {
    const [first, second, third] = layerCurves(readings, "truth", 4, options);
    expect(third).toBeUndefined();
    expect([first?.samples, second?.samples]).toEqual([3, 2]);
    expect(first?.points.map(({ mean }) => mean.toFixed(6))).toEqual(
      [0.1, 0.1, 0.1, 0.4, 0.7].map((value) => value.toFixed(6)),
    );
    for (const { mean, low, high } of first?.points ?? []) {
      expect(low).toBeLessThanOrEqual(mean);
      expect(high).toBeGreaterThanOrEqual(mean);
    }
    // Of three samples a resample is one of them alone in 1 of 9 cases: the ends are those of the data.
    expect(first?.points.at(-1)).toMatchObject({ low: 0.3, high: 1 });
  });

  it("follow the most probable token too", () => {
    const [curve] = layerCurves(readings, "highest", 1, options);
    expect(curve?.points[0]?.mean).toBeCloseTo(0.2, 9);
  });

  it("are subtracted sample by sample", () => {
    const shifted = readings.map(({ truth, ...one }) => ({ ...one, truth: truth.map((value) => value - 0.05) }));
    const curve = differenceCurve(shifted, readings, 0, options);
    // Every sample differs by as much, so there is nothing to be unsure of.
    for (const { mean, low, high } of curve?.points ?? []) {
      expect(mean).toBeCloseTo(-0.05, 9);
      expect(high - low).toBeLessThan(1e-9);
    }
  });

  it("have a knee with the knees of their resamples around it", () => {
    const knee = kneeOfToken(readings, 0, "kneedle", options);
    expect(knee).toMatchObject({ layer: 2, boundary: 3, interval: { low: 2, high: 2 }, risingShare: 1 });
    expect(kneeOfToken([reading("flat", [[0.3, 0.3, 0.2]])], 0, "segments", options)).toBeUndefined();
    expect(kneeOfToken(readings, 3, "kneedle", options)).toBeUndefined();
  });

  it("are the same for the same seed", () => {
    expect(layerCurves(readings, "truth", 2, options)).toEqual(layerCurves(readings, "truth", 2, options));
  });
});
