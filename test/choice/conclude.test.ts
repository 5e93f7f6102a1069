import { parseStrategy } from "../../src/strategy/strategy.js";
import { describe, expect, it } from "vitest";
import { conclude, type ConcludeInput } from "../../src/choice/conclude.js";
import { ruleSettings } from "../../src/sweep/inputs/scoring.js";
import { chooseBoundary, type ChoiceInput } from "../../src/choice/choose.js";
import { confirm } from "../../src/choice/confirm.js";
import type { CandidateScores } from "../../src/choice/scores.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";
import { scoringOf } from "../../src/sweep/inputs/scoring.js";
import { taskByName } from "../../src/tasks/task.js";
import { configWith } from "../support/planned-sweep.js";
import { scoredAt } from "../support/scored.js";

/** What a sweep without a holdout knows when its rule has chosen. */
function inputOf(scored: readonly CandidateScores[], more: Partial<ConcludeInput> = {}): ConcludeInput {
  const [base, full] = [scored[0]!, scored.at(-1)!];
  const choice: ChoiceInput = {
    ...{ rule: "best", metric: "em", layerCount: 4, margin: 2, floors: [] },
    scored,
    full,
  };
  const { chosen } = chooseBoundary(choice);
  const clusters = Array.from({ length: full.answers.count }, (_, i) => `sample ${i}`);
  return { part: "selection", compared: { chosen, full, base }, choice, folds: undefined, seed: 3, clusters, ...more };
}

const repeat = (times: number, ...values: number[]): number[] => Array.from({ length: times }, () => values).flat();

/** K=2 is right everywhere, the others never. */
const clear = [0, 1, 2, 3, 4].map((boundary) => scoredAt(boundary, { em: repeat(12, boundary === 2 ? 1 : 0) }));

describe("what a choice is worth", () => {
  it("is said by the holdout where there is one, and by nothing else", () => {
    const holdout = { chosen: scoredAt(2, { em: [1, 0] }), full: clear[4]!, base: clear[0]! };
    const compared = { ...holdout, full: scoredAt(4, { em: [0, 0] }), base: scoredAt(0, { em: [0, 0] }) };
    const input = inputOf(clear, { part: "holdout", compared, folds: 3 });
    expect(conclude(input)).toEqual(confirm("holdout", compared, 3));
  });

  it("depends on the seed alone besides the scores", () => {
    expect(conclude(inputOf(clear))).toEqual(conclude(inputOf(clear)));
  });
});

describe("by cross-validation", () => {
  it("a choice that every fold makes is judged on all samples", () => {
    const { foldBoundaries, ...rest } = conclude(inputOf(clear, { folds: 4 }));
    expect(foldBoundaries).toEqual([2, 2, 2, 2]);
    expect(rest).toEqual(confirm("folds", { chosen: clear[2]!, full: clear[4]!, base: clear[0]! }, 3));
  });

  it("each fold is answered by what the others chose, and samples of one cluster stay together", () => {
    // K=1 is right on the one content, K=2 on the other: whoever chooses on the one is wrong on the other.
    const samples = 10;
    const [left, right] = [repeat(samples / 2, 1, 0), repeat(samples / 2, 0, 1)];
    const scored = [
      scoredAt(0, { em: repeat(samples, 0) }),
      scoredAt(1, { em: left }),
      scoredAt(2, { em: right }),
      scoredAt(4, { em: repeat(samples, 0) }),
    ];
    const clusters = Array.from({ length: samples }, (_, i) => (i % 2 === 0 ? "left" : "right"));
    const { foldBoundaries, comparisons, part, samples: count } = conclude(inputOf(scored, { folds: 2, clusters }));
    expect([part, count, foldBoundaries?.toSorted()]).toEqual(["folds", samples, [1, 2]]);
    expect(comparisons[0]).toMatchObject({ metric: "em", label: "EM", chosen: 0, full: 0, base: 0 });
    // In-sample the same choice has half of the samples right.
    expect(conclude(inputOf(scored, { clusters })).comparisons[0]?.chosen).toBe(50);
  });

  it("has no correction: nothing of it is in-sample", () => {
    expect(conclude(inputOf(clear, { folds: 2 }))).not.toHaveProperty("corrected");
  });
});

describe("in-sample", () => {
  it("a difference that luck had no part in is left as it is", () => {
    const { part, corrected, comparisons } = conclude(inputOf(clear));
    expect([part, comparisons[0]?.chosenMinusFull.difference]).toEqual(["selection", 100]);
    expect(corrected).toEqual({ difference: 100, optimism: 0, method: expect.stringContaining("bootstrap") as string });
  });

  it("the best of candidates that are all noise is corrected downwards", () => {
    const sweeps = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => {
      const generator = seededGenerator(seed);
      const coins = (): number[] => Array.from({ length: 40 }, () => uniformInt(generator, 0, 1));
      return conclude(inputOf([0, 1, 2, 3, 4].map((boundary) => scoredAt(boundary, { em: coins() }))));
    });
    const mean = (of: (sweep: (typeof sweeps)[number]) => number | undefined): number =>
      sweeps.reduce((sum, sweep) => sum + (of(sweep) ?? Number.NaN), 0) / sweeps.length;
    const apparent = mean(({ comparisons }) => comparisons[0]?.chosenMinusFull.difference);
    const left = mean(({ corrected }) => corrected?.difference);
    expect(apparent).toBeGreaterThan(5);
    expect(left).toBeLessThan(0.6 * apparent);
    expect(mean(({ corrected }) => corrected?.optimism)).toBeCloseTo(apparent - left, 9);
  });

  it("one sample alone says nothing about luck", () => {
    const scored = [0, 2, 4].map((boundary) => scoredAt(boundary, { em: [boundary === 2 ? 1 : 0] }));
    expect(conclude(inputOf(scored))).not.toHaveProperty("corrected");
  });
});

it("a rule gets its settings from those of the sweep and the metrics", () => {
  const config = configWith({ rule: "one-se", margin: 3, metric: "f1", floor: "em=-1.5" });
  const scoring = scoringOf(config, taskByName("qa"), { format: "jsonl", thoughts: [] });
  expect(ruleSettings(config, scoring, { strategy: parseStrategy("prefix", 30), layerCount: 30 })).toEqual({
    rule: "one-se",
    margin: 3,
    isNested: true,
    metric: "f1",
    floors: [{ metric: "em", points: -1.5 }],
    layerCount: 30,
  });
});
