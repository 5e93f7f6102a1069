import { describe, expect, it } from "vitest";
import { confirm } from "../../src/sweep/confirm.js";
import { scoredAt } from "../support/scored.js";

const base = scoredAt(0, { em: [0, 0, 0, 0], f1: [0.5, 0, 0, 0] });
const chosen = scoredAt(2, { em: [1, 1, 0, 0], f1: [1, 1, 0.5, 0.5] });
const full = scoredAt(4, { em: [1, 0, 0, 1], f1: [1, 1, 0.5, 0.5] });

describe("confirming a choice", () => {
  it("sets chosen beside full and base, metric by metric, paired over the samples", () => {
    const confirmation = confirm("holdout", { chosen, full, base }, 1);
    expect(confirmation).toMatchObject({
      part: "holdout",
      samples: 4,
      method: "paired percentile bootstrap, 2000 resamples, 95 % interval",
    });
    const [em, f1] = confirmation.comparisons;
    expect(em).toMatchObject({ metric: "em", chosen: 50, full: 50, base: 0 });
    expect(em?.chosenMinusFull).toMatchObject({ difference: 0, better: 1, worse: 1, same: 2 });
    expect(em?.chosenMinusBase).toMatchObject({ difference: 50, better: 2, worse: 0, same: 2 });
    expect(f1).toMatchObject({ metric: "f1", chosen: 75, full: 75, base: 12.5 });
    // Equal sample by sample: no resample can differ.
    expect(f1?.chosenMinusFull).toEqual({ difference: 0, low: 0, high: 0, better: 0, worse: 0, same: 4 });
  });

  it("has intervals around the difference, the same for the same seed", () => {
    const once = confirm("selection", { chosen, full, base }, 7);
    expect(confirm("selection", { chosen, full, base }, 7)).toEqual(once);
    expect(once.part).toBe("selection");
    const { difference, low, high } = once.comparisons[0]!.chosenMinusBase;
    expect(low).toBeLessThan(difference);
    expect(high).toBeGreaterThan(difference);
    expect([low, high]).toEqual([0, 100]);
  });

  it("of the full adapter finds no difference to it", () => {
    const { comparisons } = confirm("holdout", { chosen: full, full, base }, 1);
    expect(comparisons.map(({ chosenMinusFull }) => [chosenMinusFull.low, chosenMinusFull.high])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});
