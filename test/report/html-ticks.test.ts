import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundaryTicks, niceBounds, niceStep } from "../../src/report/html/ticks.js";

const PERCENT = { least: 0, most: 100 };

describe("bounds of an axis", () => {
  it.each([
    [[49.2, 94.1], { min: 40, max: 100, step: 10 }],
    [[0, 94], { min: 0, max: 100, step: 20 }],
    [[88.2, 88.2], { min: 88, max: 89, step: 1 }],
    [[87.9, 88.4], { min: 87, max: 89, step: 1 }],
    [[100, 100], { min: 99, max: 100, step: 1 }],
    [[0, 0], { min: 0, max: 1, step: 1 }],
    [[], { min: 0, max: 1, step: 1 }],
  ])("of %j", (values, expected) => {
    const { min, max, step } = niceBounds(values, PERCENT);
    expect({ min, max, step }).toEqual(expected);
  });

  it("hold all values, stay within the limits, and have some steps between them", () => {
    const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(values, (all) => {
        const { min, max, step } = niceBounds(all, PERCENT);
        expect(min).toBeLessThanOrEqual(Math.min(...all) + 1e-9);
        expect(max).toBeGreaterThanOrEqual(Math.max(...all) - 1e-9);
        expect([min >= 0, max <= 100, max > min]).toEqual([true, true, true]);
        expect((max - min) / step).toBeLessThanOrEqual(12);
      }),
    );
  });
});

describe("marks of the boundaries", () => {
  const named = new Map([
    [32, "32\nfull"],
    [0, "0\nbase"],
  ]);
  const all = Array.from({ length: 33 }, (_, i) => i);

  it("are whole steps that stand clear of the named ones", () => {
    expect(boundaryTicks(all, named, 3.2).map(({ label }) => label)).toEqual([
      "0\nbase",
      "5",
      "10",
      "15",
      "20",
      "25",
      "32\nfull",
    ]);
  });

  it("are all that were tried where these are few", () => {
    expect(boundaryTicks([0, 3, 7, 12, 32], named, 3).map(({ at }) => at)).toEqual([0, 3, 7, 12, 32]);
  });

  it("never touch", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.double({ min: 0.1, max: 30, noNaN: true }), (last, distance) => {
        const places = Array.from({ length: last + 1 }, (_, i) => i);
        const ticks = boundaryTicks(places, new Map([[last, "full"]]), distance);
        for (const [i, { at }] of ticks.slice(1).entries()) expect(at - ticks[i]!.at).toBeGreaterThanOrEqual(distance);
        expect(ticks.at(-1)?.label).toBe("full");
      }),
    );
  });
});

describe("a step", () => {
  it.each([
    [0.3, 0.5],
    [1, 1],
    [1.1, 2],
    [6, 10],
    [20, 20],
    [21, 50],
  ])("of at least %d is %d", (least, step) => {
    expect(niceStep(least)).toBeCloseTo(step, 12);
  });
});
