import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundaryCandidates } from "../../src/adapter/mask.js";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";
import { chooseBoundary, type ChoiceInput } from "../../src/choice/choose.js";
import { paperBoundary, ruleByName } from "../../src/choice/rules.js";
import type { CandidateScores } from "../../src/choice/scores.js";
import { inSampleEstimate } from "../../src/choice/winners-curse.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";
import { scoredAt } from "../support/scored.js";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** 1 for the first so many of so many samples. */
const first = (count: number, samples: number): number[] => range(samples).map((i) => (i < count ? 1 : 0));

type Values = Readonly<Record<string, readonly number[]>>;

/** Candidates of an adapter with a module in each of these layers. */
function sweepOf(
  layerCount: number,
  values: ReadonlyMap<number, Values>,
  layers = range(layerCount),
): CandidateScores[] {
  const adapter = adapterWith(layers.map((layer) => moduleAt(layer)));
  return boundaryCandidates(adapter, layerCount, [...values.keys()]).map((candidate) => {
    return { ...scoredAt(0, values.get(candidate.number) ?? {}), candidate };
  });
}

/** A sweep over all K of as many layers as there are values less one, metric "em". */
function inputOf(em: readonly (readonly number[])[], more: Partial<ChoiceInput> = {}): ChoiceInput {
  const scored = sweepOf(em.length - 1, new Map(em.map((values, k) => [k, { em: values }])));
  const full = scored.at(-1)!;
  const layerCount = em.length - 1;
  return { rule: "best", scored, full, metric: "em", layerCount, margin: 2, floors: [], ...more };
}

const boundaryOf = (input: ChoiceInput): number => chooseBoundary(input).chosen.candidate.number;

function chooseBest(scored: readonly CandidateScores[], metric: string): CandidateScores {
  const [full] = scored.slice(-1);
  if (!full) throw new RangeError("nothing to choose from");
  return chooseBoundary({ scored, full, rule: "best", metric, layerCount: 0, margin: 0, floors: [] }).chosen;
}

describe("the rule best, by score alone", () => {
  const chosenOf = (values: readonly (readonly number[])[], metric = "em"): number =>
    chooseBest(
      values.map((em, boundary) => scoredAt(boundary, { em, f1: [...em].map((value) => 1 - value) })),
      metric,
    ).candidate.number;

  it("takes the highest score in the metric that it is given", () => {
    const values = [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 0],
    ];
    expect(chosenOf(values)).toBe(2);
    expect(chosenOf(values, "f1")).toBe(0);
  });

  it("takes the smallest boundary of equal scores", () => {
    expect(
      chosenOf([
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 0],
      ]),
    ).toBe(1);
    expect(
      chosenOf([
        [0, 0],
        [0, 0],
      ]),
    ).toBe(0);
  });

  it("takes scores as equal that differ by rounding alone", () => {
    // The same three values summed in two orders differ in the last digit.
    const values = [0.1, 0.2, 0.3];
    expect(scoredAt(0, { em: values }).scores.get("em")?.value).not.toBe(
      scoredAt(0, { em: [...values].reverse() }).scores.get("em")?.value,
    );
    expect(chosenOf([[...values].reverse(), values])).toBe(0);
    expect(chosenOf([values, [...values].reverse()])).toBe(0);
  });

  it("still sees the smallest difference that samples can make", () => {
    const many = Array.from({ length: 10_000 }, () => 0);
    expect(chosenOf([many, [...many.slice(1), 0.001]])).toBe(1);
  });

  it("refuses no candidates and a metric that was not scored", () => {
    expect(() => chooseBest([], "em")).toThrow(RangeError);
    expect(() => chooseBest([scoredAt(0, { em: [1] }), scoredAt(1, { em: [1] })], "bleu")).toThrow(
      /unknown metric: found "bleu", expected one of em/,
    );
  });
});

describe("the rule best", () => {
  it("says what it chose and why", () => {
    const { chosen, rule, reasons, bestBoundary, steps, excluded } = chooseBoundary(
      inputOf([first(3, 10), first(6, 10), first(8, 10), first(7, 10)]),
    );
    expect([chosen.candidate.number, rule, bestBoundary]).toEqual([2, "best", 2]);
    expect(reasons).toEqual(["K=2 has the highest score, em 80.0; of equal scores the smallest K counts."]);
    expect([steps, excluded]).toEqual([[], []]);
  });

  it("takes the base model as a candidate like any other", () => {
    expect(boundaryOf(inputOf([first(6, 10), first(5, 10), first(6, 10)]))).toBe(0);
  });

  it("lets the full adapter take part where it was not asked for", () => {
    const input = inputOf([first(3, 10), first(6, 10), first(5, 10), first(7, 10)]);
    expect(boundaryOf({ ...input, scored: input.scored.slice(0, 3) })).toBe(3);
    expect(boundaryOf(input)).toBe(3);
  });
});

describe("the rule one-se", () => {
  it("takes the smallest K whose distance to the best is within its paired standard error", () => {
    // K=3 is best with 60 of 100. K=1 loses 1 sample of it (SE 1.0), K=0 loses 10 (SE 3.0).
    const em = [first(50, 100), first(59, 100), first(58, 100), first(60, 100), first(55, 100)];
    const { chosen, steps, reasons, bestBoundary } = chooseBoundary(inputOf(em, { rule: "one-se" }));
    expect([chosen.candidate.number, bestBoundary]).toEqual([1, 3]);
    expect(steps.map(({ boundary, against, passed }) => [boundary, against, passed])).toEqual([
      [0, 3, false],
      [1, 3, true],
    ]);
    expect(steps[1]!.difference).toBeCloseTo(-1, 9);
    expect(steps[1]!.limit).toBeCloseTo(-1, 9);
    expect(reasons[0]).toBe(
      "K=1 is the smallest K within one standard error of the best: em 59.0, 1.0 below K=3, whose lead has a standard error of 1.0.",
    );
  });

  it("does not count what all samples share into the error: the best score's own would be 4.9", () => {
    const em = [first(57, 100), first(58, 100), first(60, 100)];
    expect(boundaryOf(inputOf(em, { rule: "one-se" }))).toBe(2);
  });

  it("keeps the best where nothing smaller comes near", () => {
    const { chosen, reasons } = chooseBoundary(inputOf([first(10, 100), first(90, 100)], { rule: "one-se" }));
    expect(chosen.candidate.number).toBe(1);
    expect(reasons[0]).toContain("no smaller K comes within one standard error");
  });

  it("never takes a larger K than best, and of equal candidates the smallest", () => {
    const sweep = fc.array(fc.array(fc.nat(1), { minLength: 12, maxLength: 12 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(sweep, (em) => {
        expect(boundaryOf(inputOf(em, { rule: "one-se" }))).toBeLessThanOrEqual(boundaryOf(inputOf(em)));
      }),
    );
    expect(boundaryOf(inputOf([first(5, 9), first(5, 9), first(5, 9)], { rule: "one-se" }))).toBe(0);
  });
});

describe("the rule no-worse", () => {
  const samples = 400;
  const full = first(200, samples);
  /** Like full, but so many samples lost. */
  const losing = (count: number): number[] => first(200 - count, samples);

  it("descends from the full adapter and stops at the first failure", () => {
    const input = inputOf([losing(0), losing(30), losing(1), losing(0), full], { rule: "no-worse" });
    const { chosen, steps, reasons } = chooseBoundary(input);
    // K=0 equals the full adapter, but K=1 fails before it is reached.
    expect(chosen.candidate.number).toBe(2);
    expect(steps.map(({ boundary, passed }) => [boundary, passed])).toEqual([
      [3, true],
      [2, true],
      [1, false],
    ]);
    for (const { low, difference, limit, against } of steps) {
      expect(low).toBeLessThan(difference);
      expect([limit, against]).toEqual([-2, 4]);
    }
    expect(reasons).toEqual([
      "K=2 is the smallest K that shows, as all above it do, that it loses less than 2.0 points of em against the full adapter: -0.3 points, at worst -1.4; at K=1 a loss of up to 10.5 is not ruled out (-7.5 points measured).",
    ]);
  });

  it("reaches the base model where nothing is lost at all", () => {
    const { chosen, reasons } = chooseBoundary(inputOf([full, full, full], { rule: "no-worse" }));
    expect(chosen.candidate.number).toBe(0);
    expect(reasons[0]).toContain("the base model is the smallest");
  });

  it("keeps everything where samples are too few to show anything, and says so", () => {
    const equal = first(50, 100);
    const { chosen, reasons } = chooseBoundary(inputOf([equal, equal], { rule: "no-worse" }));
    expect(chosen.candidate.number).toBe(1);
    expect(reasons[0]).toBe(
      "Keep everything: no smaller K shows that it loses less than 2.0 points of em; at K=0 a loss of up to 3.7 is not ruled out (0.0 points measured). 100 samples cannot show it: even equal answers leave a loss of up to 3.7 possible.",
    );
    expect(boundaryOf(inputOf([equal, equal], { rule: "no-worse", margin: 4 }))).toBe(0);
  });

  it("is not misled by a graded metric that hides few large losses behind many small changes", () => {
    const graded = range(150).map((i) => (i % 2 === 0 ? 0.5 : 0.6));
    const small = graded.map((value, i) => value + (i % 10 === 0 ? 0.02 : i % 10 === 5 ? -0.02 : 0));
    const scored = sweepOf(1, new Map([0, 1].map((k) => [k, { f1: k === 0 ? small : graded }])));
    const input = { ...inputOf([full, full]), scored, full: scored[1]!, metric: "f1", rule: "no-worse" as const };
    // 150 samples do not show that none of 50 more would lose everything.
    expect(boundaryOf({ ...input, margin: 1.5 })).toBe(1);
    expect(boundaryOf({ ...input, margin: 2 })).toBe(0);
  });

  it("goes on past a candidate that a floor excludes, without choosing it", () => {
    const values = new Map(
      range(4).map((k) => [k, { em: k === 0 ? losing(60) : full, f1: k === 1 ? first(100, samples) : full }]),
    );
    const scored = sweepOf(3, values);
    const input: ChoiceInput = {
      ...inputOf([full, full, full, full], { rule: "no-worse" }),
      scored,
      full: scored[3]!,
      floors: [{ metric: "f1", points: -1 }],
    };
    const { chosen, steps, excluded } = chooseBoundary(input);
    expect(chosen.candidate.number).toBe(2);
    expect(steps.map(({ boundary }) => boundary)).toEqual([2, 1, 0]);
    expect(excluded.map(({ boundary }) => boundary)).toEqual([1]);
  });
});

describe("the rule paper", () => {
  it("keeps 15 of 32 layers, scaled", () => {
    expect([32, 30, 24, 40, 2, 1].map(paperBoundary)).toEqual([15, 14, 11, 19, 1, 0]);
  });

  it("takes that K without a look at the scores, or the nearest evaluated", () => {
    const bad = new Map(range(33).map((k) => [k, { em: first(k === 15 ? 0 : 9, 10) }]));
    const all = sweepOf(32, bad);
    const input: ChoiceInput = {
      ...inputOf([[0], [1]], { rule: "paper" }),
      scored: all,
      full: all[32]!,
      layerCount: 32,
    };
    expect(boundaryOf(input)).toBe(15);
    expect(chooseBoundary(input).reasons).toEqual([
      "K=15, 15 of 32 layers scaled to 32, without a look at the scores.",
    ]);
    const some = all.filter(({ candidate }) => [0, 10, 20, 32].includes(candidate.number));
    expect(boundaryOf({ ...input, scored: some })).toBe(10);
    expect(chooseBoundary({ ...input, scored: some }).reasons[0]).toContain("the nearest that was evaluated");
  });

  it("knows a candidate that stands for several boundaries", () => {
    const values = new Map(range(33).map((k) => [k, { em: first(k, 40) }]));
    // Trained in layers 0 to 7 and 20 to 31 only: K=8 to 20 keep the same tensors.
    const scored = sweepOf(32, values, [...range(8), ...range(12).map((i) => 20 + i)]);
    const input: ChoiceInput = {
      ...inputOf([[0], [1]], { rule: "paper" }),
      scored,
      full: scored.at(-1)!,
      layerCount: 32,
    };
    const { chosen, reasons } = chooseBoundary(input);
    expect(chosen.candidate.number).toBe(8);
    expect(chosen.candidate.boundaries).toContain(15);
    expect(reasons[0]).toContain("the adapter keeps the same tensors at K=8");
  });
});

describe("floors", () => {
  const values = new Map<number, Values>([
    [0, { em: first(9, 10), f1: first(2, 10) }],
    [1, { em: first(8, 10), f1: first(4, 10) }],
    [2, { em: first(7, 10), f1: first(5, 10) }],
    [3, { em: first(6, 10), f1: first(5, 10) }],
  ]);
  const scored = sweepOf(3, values);
  const withFloor = (points: number, rule: ChoiceInput["rule"] = "best"): ChoiceInput => ({
    ...inputOf([[0], [1]], { rule }),
    scored,
    full: scored[3]!,
    layerCount: 3,
    floors: [{ metric: "f1", points }],
  });

  it("exclude candidates that lose more than allowed, with their difference", () => {
    const { chosen, excluded, reasons } = chooseBoundary(withFloor(-10));
    expect(chosen.candidate.number).toBe(1);
    expect(excluded).toEqual([{ boundary: 0, metric: "f1", difference: expect.closeTo(-30, 9) as number, floor: -10 }]);
    expect(reasons).toEqual([
      "K=1 has the highest score, em 80.0; of equal scores the smallest K counts.",
      "Not eligible, as f1 must be at least -10.0 points against the full adapter: K=0 (-30.0).",
    ]);
  });

  it("never exclude the full adapter, whatever they ask for", () => {
    for (const rule of ["best", "one-se", "no-worse", "paper"] as const) expect(boundaryOf(withFloor(5, rule))).toBe(3);
  });

  it("bound every rule", () => {
    expect(boundaryOf(withFloor(-1))).toBe(2);
    expect(boundaryOf(withFloor(-1, "paper"))).toBe(2);
    expect(paperBoundary(3)).toBe(1);
    expect(boundaryOf(withFloor(-30))).toBe(0);
  });
});

describe("settings", () => {
  it("name rules, and the nearest of an unknown one", () => {
    expect(ruleByName("one-se").name).toBe("one-se");
    expect(() => ruleByName("no-worst")).toThrow(UsageError);
    expect(() => ruleByName("no-worst")).toThrow(/Did you mean no-worse\?/);
  });

  it("are refused where a metric was not scored, a margin is negative, or samples differ", () => {
    const input = inputOf([first(1, 4), first(2, 4)]);
    expect(() => chooseBoundary({ ...input, metric: "en" })).toThrow(/Did you mean em\?/);
    expect(() => chooseBoundary({ ...input, floors: [{ metric: "f1", points: 0 }] })).toThrow(UsageError);
    expect(() => chooseBoundary({ ...input, rule: "no-worse", margin: -1 })).toThrow(UsageError);
    expect(() => chooseBoundary({ ...input, rule: "no-worse", margin: Number.NaN })).toThrow(UsageError);
    expect(() => chooseBoundary({ ...input, scored: [] })).toThrow(RangeError);
    const shorter = inputOf([first(1, 3), first(2, 3)]);
    expect(() => chooseBoundary({ ...input, scored: shorter.scored.slice(0, 1) })).toThrow(BoundaryError);
  });
});

describe("inSampleEstimate", () => {
  it("takes the luck out of the best of many equal candidates", () => {
    const generator = seededGenerator(5);
    const em = range(41).map(() => range(60).map(() => uniformInt(generator, 0, 1)));
    const made = inSampleEstimate(inputOf(em), { seed: 1, resamples: 300 });
    expect(made.apparent).toBeGreaterThan(55);
    expect(made.corrected).toBeLessThan(made.apparent - 3);
    expect(made.apparentDifference - made.correctedDifference!).toBeGreaterThan(3);
    expect(made.chosen.length).toBeGreaterThan(3);
    expect(made.chosen.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(Math.abs(made.corrected! - 50)).toBeLessThan(Math.abs(made.apparent - 50) / 2);
    expect(inSampleEstimate(inputOf(em), { seed: 1, resamples: 300 })).toEqual(made);
  });

  it("leaves a clear winner alone", () => {
    const made = inSampleEstimate(inputOf([first(10, 200), first(150, 200), first(40, 200)]), {
      seed: 1,
      resamples: 500,
    });
    expect(made.apparent).toBe(75);
    expect(Math.abs(made.corrected! - 75)).toBeLessThan(0.7);
    expect(made.chosen).toEqual([{ boundary: 1, share: 1 }]);
  });

  it("says nothing where no sample can be left out", () => {
    const made = inSampleEstimate(inputOf([[0], [1]]), { seed: 1, resamples: 20 });
    expect(made.apparent).toBe(100);
    expect(made).not.toHaveProperty("corrected");
  });
});
