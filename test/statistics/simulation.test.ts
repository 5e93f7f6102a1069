import { describe, expect, it } from "vitest";
import * as experiments from "../../eval/simulation/experiments.mjs";
import { differenceInterval } from "../../src/statistics/difference.js";
import { normalQuantile } from "../../src/statistics/distributions.js";
import { scoreInterval, type Interval } from "../../src/statistics/interval.js";
import { wilsonEnds } from "../../src/statistics/proportions.js";
import { seededGenerator } from "../../src/statistics/random.js";
import { eachResample } from "../../src/statistics/resample.js";
import { chooseBoundary, evidenceOf } from "../../src/choice/choose.js";
import { crossValidate } from "../../src/choice/cross-validate.js";
import { applyRule, ruleNames } from "../../src/choice/rules.js";
import { inSampleEstimate } from "../../src/choice/winners-curse.js";

const { NEARLY_EQUAL, USUAL, flat } = experiments;

/** eval/simulation/simulate.mjs has the same experiments at full size, and eval/results/simulation.md what came out. */
const product: experiments.Product = {
  applyRule,
  chooseBoundary,
  crossValidate,
  differenceInterval,
  eachResample,
  evidenceOf,
  inSampleEstimate,
  normalQuantile,
  ruleNames,
  scoreInterval,
  seededGenerator,
  wilsonEnds,
};

describe("simulated sweeps with a known truth", () => {
  it("in which nothing is better: the selection claims it often, the holdout hardly ever", () => {
    const { selection, holdout } = experiments.falseImprovements(product, { sweeps: 200, samples: 100, seed: 7 });
    expect(selection).toBeGreaterThan(12);
    expect(holdout).toBeLessThan(6.5);
  });

  it.each([
    ["usual", USUAL, false, 150],
    ["nearly equal", NEARLY_EQUAL, false, 100],
    ["nearly equal", NEARLY_EQUAL, false, 250],
    ["usual, graded", USUAL, true, 150],
    ["nearly equal, graded", NEARLY_EQUAL, true, 150],
  ])("in which all below L lose the margin (%s): no-worse accepts hardly any", (_, alike, partial, samples) => {
    const rate = experiments.falseAcceptances(product, { sweeps: 150, samples, seed: 8, alike, partial });
    expect(rate).toBeLessThan(6.5);
  });

  it("in which nothing is lost: no-worse trims where samples are many or the margin is wide, and only then", () => {
    const few = experiments.trimming(product, { sweeps: 40, samples: 100, seed: 9, margins: [2, 5] });
    const many = experiments.trimming(product, { sweeps: 40, samples: 500, seed: 9, margins: [2, 5] });
    expect(few[0]!.trimmed).toBeLessThan(35);
    expect(many[1]!.trimmed).toBeGreaterThan(85);
    expect(many[1]!.meanBoundary).toBeGreaterThan(13);
  });

  it("cover the truth with 95 % intervals of a share", () => {
    for (const samples of [100, 200]) {
      const rates = [0.2, 0.3, 0.5, 0.7, 0.8];
      const coverage = experiments.coverageOfShare(product, { samples, seed: 1, rates, method: "auto", resamples: 2 });
      expect(Math.min(...coverage)).toBeGreaterThan(93);
      expect(Math.max(...coverage)).toBeLessThan(97);
    }
  });

  it("cover the truth with 95 % intervals of a difference of shares", () => {
    const cache = new Map<string, Interval>();
    const coverage = [0.06, 0.12, 0.2].flatMap((discordant) => {
      return [0, 0.02, 0.05].map((difference) => {
        return experiments.exactCoverageOfDifference(product, { samples: 100, discordant, difference, cache });
      });
    });
    expect(Math.min(...coverage)).toBeGreaterThan(93);
    // Without a difference the exact test decides, which rejects more rarely than its level says.
    const withDifference = coverage.filter((_, i) => i % 3 !== 0);
    expect(Math.max(...withDifference)).toBeLessThan(97);
    expect(Math.max(...coverage)).toBeLessThan(99.5);
  });

  it.each([
    ["usual", USUAL],
    ["nearly equal", NEARLY_EQUAL],
  ])("cover the truth with intervals of a difference of graded means, neighbours %s", (_, alike) => {
    for (const rate of [0.2, 0.5, 0.8]) {
      const { analytic } = experiments.coverageOfDifference(product, {
        ...{ trials: 1000, samples: 100, seed: 20, rate, gain: 3, partial: true, alike },
        methods: ["analytic"],
        cache: new Map(),
      });
      // Standard deviation of 1000 trials: 0.7.
      expect(analytic).toBeGreaterThan(92.5);
      expect(analytic).toBeLessThan(97.5);
    }
  });

  it("cover the truth with 95 % intervals of a skewed mean, by BCa", () => {
    const { bca } = experiments.coverageOfMean(product, {
      ...{ trials: 400, samples: 100, seed: 30, rate: 0.05, resamples: 400 },
      methods: ["bca"],
    });
    // Standard deviation of 400 trials: 1.1.
    expect(bca).toBeGreaterThan(91.5);
    expect(bca).toBeLessThan(98);
  });

  it("flatter what best chose, and the correction takes that away", () => {
    const errors = experiments.winnersCurse(product, { sweeps: 60, samples: 100, seed: 40, resamples: 40 });
    expect(errors.apparent.mean).toBeGreaterThan(4);
    // Standard deviation of the mean: 0.7.
    expect(Math.abs(errors.leaveOneOut.mean)).toBeLessThan(2);
    expect(errors.leaveOneOut.rootMeanSquare).toBeLessThan(errors.apparent.rootMeanSquare);
  });

  it("in which one K is better: best finds it with many samples, no-worse never gives much away", () => {
    const found = experiments.picks(product, { sweeps: 40, samples: 400, seed: 50 });
    const of = (rule: string): experiments.Pick => found.find((one) => one.rule === rule)!;
    expect(of("best").peak).toBeGreaterThan(60);
    expect(of("best").worth).toBeGreaterThan(1.5);
    expect(of("one-se").meanBoundary).toBeLessThan(of("best").meanBoundary);
    expect(of("no-worse").worst).toBeGreaterThan(-2.5);
    expect(of("paper").meanBoundary).toBe(15);
  });

  it("give cross-validation more power than a split, at a rate of false claims that stays small", () => {
    const size = { sweeps: 100, samples: 100, seed: 60 };
    const better = flat(0.5).map((rate, k) => (k >= 16 && k <= 24 ? rate + 0.1 : rate));
    const none = experiments.confirmations(product, { ...size, rates: flat(0.5) });
    expect(none.crossValidated).toBeLessThan(10);
    expect(none.split).toBeLessThan(6.5);
    const some = experiments.confirmations(product, { ...size, rates: better });
    expect(some.crossValidated).toBeGreaterThan(some.split + 10);
  });
});
