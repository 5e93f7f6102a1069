import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { scoreOfStatistics, type Score } from "../../src/metrics/metric.js";
import { nllMetric } from "../../src/metrics/nll.js";
import { comparePaired } from "../../src/statistics/paired.js";
import { smallestDetectable } from "../../src/statistics/power.js";
import { columnsOf } from "../../src/statistics/columns.js";

const metric = nllMetric();
const scored = (likelihoods: readonly (readonly [number, number])[]): Score =>
  scoreOfStatistics(
    metric,
    likelihoods.map(([logProbability, tokens]) => metric.ofLikelihood?.({ logProbability, tokens }) ?? []),
    likelihoods.map(() => ["a"]),
  );

describe("nll", () => {
  it("is 100 times the mean log-likelihood of a token, by tokens and not by samples", () => {
    const score = scored([
      [-1, 1],
      [-2, 9],
    ]);
    expect(score.value).toBeCloseTo(-30, 12);
    expect(score.perSample).toEqual([-1, -2 / 9]);
    expect(Math.exp(-score.value / 100)).toBeCloseTo(Math.exp(3 / 10), 12);
  });

  it("differs by as much as it does: there is no end of a scale", () => {
    const spread = (base: number) => Array.from({ length: 12 }, (_, i) => [base - i / 10, 2] as const);
    const [near, far] = [scored(spread(-1)), scored(spread(-30).map(([lp, n], i) => [lp - (i % 3), n]))];
    const { estimate, low, high } = comparePaired(near, far, { seed: 0 });
    expect(estimate).toBeCloseTo(near.value - far.value, 9);
    expect(estimate).toBeGreaterThan(1000);
    expect(low).toBeLessThan(estimate);
    expect(high).toBeGreaterThan(estimate);
    const wild = scored(spread(-30).map(([lp, n], i) => [lp * (i % 2 === 0 ? 10 : 1), n]));
    expect(smallestDetectable(columnsOf(near), columnsOf(wild))).toBeGreaterThan(100);
  });

  it("cannot be told of outputs", () => {
    expect(() => metric.statistics("a", ["a"])).toThrow(UsageError);
  });
});
