import { describe, expect, it } from "vitest";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { scoreInterval, scoreIntervals } from "../../src/statistics/interval.js";
import { meanScore, ratioScore } from "./scores.js";

const graded = Array.from({ length: 200 }, (_, i) => (i % 4 === 0 ? 1 : (i % 7) / 20));
const lengths = Array.from({ length: 150 }, (_, i): [number, number] => [(i * 7) % 5, 4 + ((i * i) % 13)]);

describe("scoreInterval", () => {
  it("is BCa for values between 0 and 1, and says so", () => {
    const made = scoreInterval(meanScore(graded), { seed: 1 });
    expect(made).toMatchObject({ level: 0.95, method: "BCa bootstrap, 2000 resamples", allEqual: false });
    expect(made.estimate).toBeCloseTo(meanScore(graded).value, 12);
    expect(made.low).toBeLessThan(made.estimate);
    expect(made.high).toBeGreaterThan(made.estimate);
    const plain = scoreInterval(meanScore(graded), { seed: 1, method: "percentile", resamples: 500 });
    expect(plain.method).toBe("percentile bootstrap, 500 resamples");
  });

  it("is Wilson's for zeros and ones, whatever the seed, unless a bootstrap is asked for", () => {
    const score = meanScore(Array.from({ length: 50 }, (_, i) => (i < 7 ? 1 : 0)));
    const made = scoreInterval(score, { seed: 1 });
    expect(made).toMatchObject({ method: "Wilson score interval", allEqual: false });
    expect(made.low).toBeCloseTo(6.950833427, 6);
    expect(made.high).toBeCloseTo(26.186193711, 6);
    expect(scoreInterval(score, { seed: 2 })).toEqual(made);
    expect(scoreInterval(score, { seed: 1, method: "bca" }).method).toContain("BCa");
  });

  it("leans to the long tail, where percentiles do not lean enough", () => {
    const skewed = meanScore(Array.from({ length: 100 }, (_, i) => (i < 5 ? 1 : i < 15 ? 0.2 : 0)));
    const [bca, plain] = (["bca", "percentile"] as const).map((method) => scoreInterval(skewed, { seed: 1, method }));
    expect(bca!.high).toBeGreaterThan(plain!.high + 0.3);
    expect(bca!.low).toBeGreaterThan(plain!.low);
  });

  it("resamples a corpus metric by its sums: as wide as the jackknife says", () => {
    const made = scoreInterval(ratioScore(lengths), { seed: 3 });
    // Linearised: the residuals of a ratio estimate.
    const ratio = made.estimate / 100;
    const total = lengths.reduce((sum, [, length]) => sum + length, 0);
    const squares = lengths.reduce((sum, [match, length]) => sum + (match - ratio * length) ** 2, 0);
    const width = 2 * 1.96 * ((100 * Math.sqrt(squares)) / total);
    expect((made.high - made.low) / width).toBeGreaterThan(0.92);
    expect((made.high - made.low) / width).toBeLessThan(1.08);
  });

  it("of equal samples says so: Wilson's for zeros and ones, none for others", () => {
    const wrong = scoreInterval(meanScore(Array<number>(30).fill(0)), { seed: 1 });
    expect(wrong).toMatchObject({ estimate: 0, low: 0, allEqual: true });
    expect(wrong.high).toBeCloseTo(11.351339, 5);
    expect(wrong.method).toBe("Wilson score interval");
    expect(scoreInterval(meanScore(Array<number>(30).fill(0)), { seed: 1, method: "bca" })).toEqual(wrong);
    const right = scoreInterval(meanScore([1, 1, 1]), { seed: 1 });
    expect(right.high).toBe(100);
    expect(right.low).toBeCloseTo(43.85, 2);
    const graded = scoreInterval(meanScore([0.3, 0.3, 0.3]), { seed: 1 });
    expect(graded.low).toBe(graded.estimate);
    expect(graded.high).toBe(graded.estimate);
    expect(graded.allEqual).toBe(true);
    expect(graded.method).toContain("says nothing");
    const corpus = scoreInterval(ratioScore([[1, 3]]), { seed: 1 });
    expect(corpus).toMatchObject({ allEqual: true });
    expect(corpus.low).toBeCloseTo(100 / 3, 9);
  });

  it("is the same for a seed, and for a score alone or among others", () => {
    const scores = [meanScore(graded.slice(0, 150)), ratioScore(lengths)];
    expect(scoreIntervals(scores, { seed: 5 })).toEqual(scores.map((one) => scoreInterval(one, { seed: 5 })));
    expect(scoreInterval(scores[0]!, { seed: 5 })).not.toEqual(scoreInterval(scores[0]!, { seed: 6 }));
    expect(scoreIntervals([], { seed: 5 })).toEqual([]);
  });

  it("refuses scores of other samples, no samples, and options out of range", () => {
    expect(() => scoreIntervals([meanScore([1, 0]), meanScore([1])], { seed: 1 })).toThrow(/2 and 1 samples/);
    expect(() => scoreInterval(meanScore([]), { seed: 1 })).toThrow(BoundaryError);
    for (const options of [{ resamples: 0 }, { level: 1 }, { seed: -1 }]) {
      expect(() => scoreInterval(meanScore([1, 0]), { seed: 1, ...options })).toThrow(UsageError);
    }
  });

  it("takes a few seconds at most for 31 candidates, 500 samples and three metrics", () => {
    const all = Array.from({ length: 93 }, (_, k) =>
      meanScore(Array.from({ length: 500 }, (_, i) => ((i * k) % 9) / 8)),
    );
    const start = performance.now();
    scoreIntervals(all, { seed: 1 });
    // Ten times what it takes, for busy machines.
    expect(performance.now() - start).toBeLessThan(6000);
  });
});
