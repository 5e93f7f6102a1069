import { describe, expect, it } from "vitest";
import { SCREEN_LIMIT, screenOf } from "../../src/choice/screen-rule.js";

const at = (boundary: number, probability: number, isEnd = false): Parameters<typeof screenOf>[0][number] => {
  return {
    boundary,
    isEnd,
    probabilities: Array.from({ length: 30 }, (_, i) => Math.min(1, probability * (0.9 + (i % 5) * 0.05))),
  };
};

describe("screening", () => {
  it("leaves out who finds the references less than half as probable as the best, never base or full", () => {
    const { candidates, limit } = screenOf([at(0, 0.01, true), at(1, 0.2), at(2, 0.5), at(3, 0.9), at(4, 0.3, true)]);
    expect(limit).toBe(SCREEN_LIMIT);
    expect(candidates.map(({ passed }) => passed)).toEqual([true, false, true, true, true]);
    expect(candidates[1]?.atMost).toBeCloseTo(0.2 / 0.9, 1);
    expect(candidates[3]?.atMost).toBe(1);
  });

  it("leaves nobody out on the word of a few samples that differ much, or of a single one", () => {
    const few = { boundary: 1, isEnd: false, probabilities: [0.9, 0.01, 0.02] };
    const best = { boundary: 2, isEnd: false, probabilities: [0.9, 0.9, 0.8] };
    expect(screenOf([few, best]).candidates.every(({ passed }) => passed)).toBe(true);
    const [one, other] = [
      { boundary: 1, isEnd: false, probabilities: [0.001] },
      { boundary: 2, isEnd: false, probabilities: [0.9] },
    ];
    expect(screenOf([one, other]).candidates.every(({ passed }) => passed)).toBe(true);
  });

  it("passes all where nothing is probable at all", () => {
    expect(screenOf([at(1, 0), at(2, 0)]).candidates.map(({ passed }) => passed)).toEqual([true, true]);
  });
});
