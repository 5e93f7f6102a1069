import { describe, expect, it } from "vitest";
import type { LensReading } from "../../src/engine/layer-reader.js";
import { seededGenerator } from "../../src/statistics/random.js";
import {
  differenceCurve,
  heightOfRise,
  kneeOfToken,
  layerCurves,
  LEAST_PROBABILITY,
} from "../../src/probe/layer-curves.js";

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

  it("have a knee, with an interval from 30 samples on", () => {
    const knee = kneeOfToken(readings, 0, "kneedle", options);
    expect(knee).toEqual({ method: "kneedle", layer: 2, boundary: 3, risingShare: 1 });
    const many = Array.from({ length: 10 }, () => readings).flat();
    expect(kneeOfToken(many, 0, "kneedle", options)).toEqual({ ...knee, interval: { low: 1, high: 3 } });
    expect(kneeOfToken(many.slice(1), 0, "kneedle", options)).toEqual(knee);
    expect(kneeOfToken([reading("flat", [[0.3, 0.3, 0.2]])], 0, "segments", options)).toBeUndefined();
    expect(kneeOfToken(readings, 3, "kneedle", options)).toBeUndefined();
  });

  it("have no knee where the reference never becomes probable, whatever their shape", () => {
    const scaled = (highest: number): LensReading[] =>
      Array.from({ length: 40 }, (_, i) =>
        reading(`${i}`, [
          [0.9, 0.8, 0, 0, 0, 0, 0.1, 0.5, 1].map((value, layer) => (layer < 2 ? value : highest * value)),
        ]),
      );
    for (const method of ["kneedle", "segments"] as const) {
      expect(kneeOfToken(scaled(0.004), 0, method, options)).toBeUndefined();
      expect(kneeOfToken(scaled(LEAST_PROBABILITY - 1e-9), 0, method, options)).toBeUndefined();
      // The spike of the first layers is no answer, and does not hide one.
      expect(kneeOfToken(scaled(LEAST_PROBABILITY), 0, method, options)?.layer).toBe(6);
      expect(kneeOfToken(scaled(0.6), 0, method, options)?.layer).toBe(6);
    }
    expect(heightOfRise([0.9, 0.1, 0.002, 0.001, 0.004])).toBe(0.004);
    expect(heightOfRise([0.3, 0.2])).toBe(0);
  });

  // eval/results/knees.md has more shapes, sizes and trials.
  it("have an interval that holds the true knee, also where few samples set it", () => {
    const random = seededGenerator(5);
    const uniform = (): number => (random.unsafeNext() >>> 0) / 2 ** 32;
    // 6 samples in 100 rise one layer before all others, and the knee with them.
    const draw = (count: number): LensReading[] =>
      Array.from({ length: count }, (_, i) => {
        const [isEarly, height] = [uniform() < 0.06, uniform()];
        return reading(`${i}`, [
          Array.from({ length: 30 }, (_, layer) => (layer === 29 || (isEarly && layer === 28) ? height : 0)),
        ]);
      });
    const truth = kneeOfToken(draw(5000), 0, "kneedle", { seed: 1, resamples: 1 })?.layer ?? Number.NaN;
    expect(truth).toBe(27);
    const held = Array.from({ length: 60 }, (_, seed) => {
      const { low, high } = kneeOfToken(draw(30), 0, "kneedle", { seed, resamples: 60 })?.interval ?? {
        low: 99,
        high: 99,
      };
      return low <= truth && truth <= high;
    });
    expect(held.filter(Boolean).length).toBeGreaterThanOrEqual(57);
  });

  it("are the same for the same seed", () => {
    expect(layerCurves(readings, "truth", 2, options)).toEqual(layerCurves(readings, "truth", 2, options));
  });
});
