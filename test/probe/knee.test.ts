import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kneeMethods, kneeOf } from "../../src/probe/knee.js";

describe.each(kneeMethods)("the knee by %s", (method) => {
  it("is where a level curve begins to rise in a straight line", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 25 }),
        fc.integer({ min: 2, max: 25 }),
        fc.double({ min: 0, max: 0.3, noNaN: true }),
        fc.double({ min: 0.01, max: 0.02, noNaN: true }),
        (level, rising, height, slope) => {
          const curve = Array.from({ length: level + rising }, (_, i) => height + slope * Math.max(0, i - level));
          expect(kneeOf(curve, method)).toBe(level);
        },
      ),
    );
  });

  it("does not look beyond the highest point", () => {
    expect(kneeOf([0, 0, 0, 0, 0.2, 0.4, 0.6, 0.3, 0.1], method)).toBe(3);
  });

  it("is the same for a curve that is stretched or lifted", () => {
    const curve = [0.01, 0.02, 0.015, 0.03, 0.05, 0.2, 0.5, 0.8];
    expect(
      kneeOf(
        curve.map((value) => 0.1 + 0.5 * value),
        method,
      ),
    ).toBe(kneeOf(curve, method));
  });

  it("is not moved or removed by a spike of the first layers", () => {
    const rise = [0, 0, 0, 0, 0, 0, 0.2, 0.4, 0.6];
    for (const spike of [[0.5], [0.99], [0.99, 0.4], [0.3, 0.95, 0.2], [0.01, 0.99]]) {
      expect(kneeOf([...spike, ...rise], method)).toBe(spike.length + 5);
    }
    // A spike that is a tenth of the rise is left in, as noise is.
    expect(kneeOf([0.05, ...rise], method)).toBe(6);
  });

  it("is missing where nothing rises", () => {
    expect(kneeOf([0.5, 0.4, 0.3, 0.2], method)).toBeUndefined();
    expect(kneeOf([0.2, 0.2, 0.2], method)).toBeUndefined();
    expect(kneeOf([0.1, 0.4], method)).toBeUndefined();
  });
});
