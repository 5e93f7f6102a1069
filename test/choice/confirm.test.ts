import { describe, expect, it } from "vitest";
import { confirm } from "../../src/choice/confirm.js";
import type { CandidateScores } from "../../src/choice/scores.js";
import { adjustedStudent, tangoWithoutLosses } from "../support/closed-forms.js";
import { scoredAt } from "../support/scored.js";

const base = scoredAt(0, { em: [0, 0, 0, 0], f1: [0.5, 0, 0, 0] });
const chosen = scoredAt(2, { em: [1, 1, 0, 0], f1: [1, 1, 0.5, 0.5] });
const full = scoredAt(4, { em: [1, 0, 0, 1], f1: [1, 1, 0.5, 0.5] });

const near = (value: number): number => expect.closeTo(value, 6) as number;
const ends = ({ low, high }: { low: number; high: number }): object => ({ low: near(low), high: near(high) });

describe("confirming a choice", () => {
  it("sets chosen beside full and base, metric by metric, paired over the samples", () => {
    const confirmation = confirm("holdout", { chosen, full, base }, 1);
    expect(confirmation).toEqual({ part: "holdout", samples: 4, comparisons: expect.any(Array) as unknown });
    const [em, f1] = confirmation.comparisons;
    expect(em).toMatchObject({ metric: "em", label: "EM", chosen: 50, full: 50, base: 0 });
    expect(em?.chosenMinusFull).toMatchObject({ difference: 0, better: 1, worse: 1, same: 2 });
    expect(f1).toMatchObject({ metric: "f1", label: "F1", chosen: 75, full: 75, base: 12.5 });
    expect(f1?.chosenMinusBase).toMatchObject({ difference: 62.5, better: 4, worse: 0, same: 0 });
  });

  it("says how right and wrong samples changed, by Tango's interval and McNemar's test", () => {
    const em = confirm("holdout", { chosen, full, base }, 1).comparisons[0]?.chosenMinusBase;
    expect(em).toMatchObject({
      difference: 50,
      ...ends(tangoWithoutLosses(2, 4)),
      method: "Tango score interval",
      better: 2,
      worse: 0,
      same: 2,
    });
    // Two coins that both fall to one side, to either of two.
    expect(em?.p.mcnemar).toBeCloseTo(2 * 0.5 ** 2, 9);
    // Swapping the two samples that differ gives a difference as large in half of all cases.
    expect(em?.p.randomization).toBeCloseTo(0.5, 1);
    expect(em?.p.bootstrap).toBeGreaterThan(0);
    // (2 + 1/2) / (0 + 1/2), and 0.5 over the standard deviation of 1, 1, 0, 0.
    expect(em?.effect).toEqual({ oddsRatio: 5, standardized: near(0.5 / Math.sqrt(1 / 3)) });
    expect(em?.smallestDetectable).toBeGreaterThan(50);
  });

  it("has other means for values between 0 and 1", () => {
    const f1 = confirm("holdout", { chosen, full, base }, 1).comparisons[1]?.chosenMinusBase;
    expect(f1).toMatchObject({ ...ends(adjustedStudent([0.5, 1, 0.5, 0.5])), method: "adjusted Student's t interval" });
    expect(f1?.p).not.toHaveProperty("mcnemar");
    expect(f1?.effect).not.toHaveProperty("oddsRatio");
  });

  it("takes a lower value for the better where less is better", () => {
    const lower = (one: CandidateScores): CandidateScores => {
      const em = { ...one.scores.get("em")!, lowerIsBetter: true as const };
      return { ...one, scores: new Map([["em", em]]) };
    };
    const all = { chosen: lower(chosen), full: lower(full), base: lower(base) };
    const [em] = confirm("holdout", all, 1).comparisons;
    expect(em?.chosenMinusBase).toMatchObject({ difference: 50, better: 0, worse: 2, same: 2 });
  });

  it("of equal answers finds no difference, and an interval that so few samples leave", () => {
    const { comparisons } = confirm("holdout", { chosen: full, full, base }, 1);
    const equal = { difference: 0, better: 0, worse: 0, same: 4 };
    expect(comparisons.map(({ chosenMinusFull }) => chosenMinusFull)).toEqual([
      {
        ...equal,
        ...ends(tangoWithoutLosses(0, 4)),
        method: "Tango score interval",
        p: { value: 1, bootstrap: 1, randomization: 1, mcnemar: 1 },
        effect: {},
        smallestDetectable: expect.any(Number) as number,
      },
      {
        ...equal,
        ...ends(adjustedStudent([0, 0, 0, 0])),
        method: "adjusted Student's t interval",
        p: { value: 1, bootstrap: 1, randomization: 1 },
        effect: {},
        smallestDetectable: expect.any(Number) as number,
      },
    ]);
  });

  it("gives the same for the same seed, other p values for another, and the same interval for any", () => {
    const [sevens, seven] = [1, 2].map(() => confirm("selection", { chosen, full, base }, 7));
    expect(sevens).toEqual(seven);
    expect(seven?.part).toBe("selection");
    const eight = confirm("selection", { chosen, full, base }, 8);
    const [before, after] = [seven, eight].map((one) => one?.comparisons[1]?.chosenMinusBase);
    expect(after?.p).not.toEqual(before?.p);
    expect([after?.low, after?.high]).toEqual([before?.low, before?.high]);
  });
});
