import { describe, expect, it } from "vitest";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { columnsOf } from "../../src/statistics/columns.js";
import { comparePaired } from "../../src/statistics/paired.js";
import { approximateRandomization, exactMcNemar, pairedBootstrapTest } from "../../src/statistics/paired-tests.js";
import { smallestDetectable } from "../../src/statistics/power.js";
import { seededGenerator, uniformInt } from "../../src/statistics/random.js";
import { meanScore, pairOf, ratioScore } from "./scores.js";

describe("exactMcNemar", () => {
  // Expected numbers: scipy.stats.binomtest, and statsmodels' mcnemar(exact=True) for two of them.
  it.each([
    [0, 6, 0.03125],
    [6, 0, 0.03125],
    [5, 5, 1],
    [3, 11, 0.057373046875],
    [12, 25, 0.04703102743951604],
    [40, 71, 0.004195534185394861],
    [0, 0, 1],
  ])("of %d better and %d worse", (better, worse, expected) => {
    expect(exactMcNemar(better, worse)).toBeCloseTo(expected, 10);
  });
});

describe("approximateRandomization", () => {
  const a = meanScore([1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0.5, 1]);
  const b = meanScore([0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0.25, 0.5]);

  it("comes near the exact p of all 4096 ways to swap", () => {
    const p = approximateRandomization(columnsOf(a), columnsOf(b), { seed: 1, trials: 40_000 });
    // 0.078125 by enumeration; standard deviation of 40,000 trials 0.0013.
    expect(Math.abs(p - 0.078125)).toBeLessThan(0.006);
  });

  it("agrees with McNemar's on zeros and ones, where it is the same test", () => {
    const [x, y] = pairOf(60, 11, 3, 20);
    const p = approximateRandomization(columnsOf(x), columnsOf(y), { seed: 2 });
    expect(Math.abs(p - exactMcNemar(11, 3))).toBeLessThan(0.01);
  });

  it("of equal sides is 1, and never 0", () => {
    expect(approximateRandomization(columnsOf(a), columnsOf(a), { seed: 1 })).toBe(1);
    const [x, y] = pairOf(200, 100, 0);
    expect(approximateRandomization(columnsOf(x), columnsOf(y), { seed: 1, trials: 999 })).toBe(0.001);
  });

  it("swaps whole rows of a corpus metric", () => {
    const rows = Array.from({ length: 40 }, (_, i): [number, number] => [i % 5, 5 + (i % 3)]);
    const better = rows.map(([match, length], i): [number, number] => [i % 2 === 0 ? match + 2 : match, length + 1]);
    const [x, y] = [columnsOf(ratioScore(better)), columnsOf(ratioScore(rows))];
    const p = approximateRandomization(x, y, { seed: 1 });
    expect(p).toBeLessThan(0.05);
    expect(approximateRandomization(y, x, { seed: 1 })).toBeCloseTo(p, 10);
  });

  it("refuses a number of trials out of range", () => {
    expect(() => approximateRandomization(columnsOf(a), columnsOf(b), { seed: 1, trials: 0 })).toThrow(UsageError);
  });
});

describe("pairedBootstrapTest", () => {
  it("is centred on the estimate, so that it hardly depends on the seed", () => {
    const [a, b] = pairOf(100, 4, 0, 60).map(columnsOf);
    const ps = Array.from({ length: 20 }, (_, seed) => pairedBootstrapTest(a!, b!, { seed }));
    // All resamples together: 4 better is binomial (100, 0.04), of which 0 and 8 or more lie as far off: 0.0169 + 0.0475 (SciPy). The
    // standard deviation of 2000 resamples is 0.0055. Centred on the resamples' mean, 0.027 to 0.055 were seen.
    for (const p of ps) expect(Math.abs(p - 0.0644)).toBeLessThan(4 * 0.0055);
    expect(ps.reduce((sum, p) => sum + p, 0) / 20).toBeCloseTo(0.0644, 2);
  });

  it("says the same as McNemar's, roughly, and 1 of equal sides", () => {
    const [a, b] = pairOf(150, 24, 12, 60);
    const p = pairedBootstrapTest(columnsOf(a), columnsOf(b), { seed: 1 });
    expect(p).toBeGreaterThan(0.02);
    expect(p).toBeLessThan(0.09);
    expect(pairedBootstrapTest(columnsOf(a), columnsOf(a), { seed: 1 })).toBe(1);
  });

  it("rejects no difference about as often as its level says", () => {
    const generator = seededGenerator(3);
    let rejected = 0;
    for (let trial = 0; trial < 300; trial++) {
      const values = (): number[] => Array.from({ length: 60 }, () => uniformInt(generator, 0, 4) / 4);
      const [a, b] = [columnsOf(meanScore(values(), false)), columnsOf(meanScore(values(), false))];
      if (pairedBootstrapTest(a, b, { seed: trial, resamples: 200 }) <= 0.05) rejected += 1;
    }
    // 15 expected, standard deviation 4.
    expect(rejected).toBeGreaterThan(3);
    expect(rejected).toBeLessThan(31);
  });
});

describe("smallestDetectable", () => {
  /** Share of simulated sets of samples in which exact McNemar finds a true difference. */
  function power(discordant: number, difference: number, samples: number): number {
    const generator = seededGenerator(9);
    const [up, down] = [(discordant + difference) / 2, (discordant - difference) / 2];
    let found = 0;
    for (let trial = 0; trial < 4000; trial++) {
      let [better, worse] = [0, 0];
      for (let sample = 0; sample < samples; sample++) {
        const draw = uniformInt(generator, 0, 999_999) / 1e6;
        if (draw < up) better += 1;
        else if (draw < up + down) worse += 1;
      }
      if (exactMcNemar(better, worse) < 0.05) found += 1;
    }
    return found / 4000;
  }

  it.each([
    [200, 15, 15],
    [400, 20, 20],
    [100, 20, 10],
  ])("is found four times in five on %d samples with %d better and %d worse", (samples, better, worse) => {
    const [a, b] = pairOf(samples, better, worse, 40);
    const points = smallestDetectable(columnsOf(a), columnsOf(b))!;
    const found = power((better + worse) / samples, points / 100, samples);
    expect(found).toBeGreaterThan(0.76);
    expect(found).toBeLessThan(0.84);
  });

  it("is a few samples where none differs, not 0", () => {
    const [a, b] = pairOf(400, 0, 0, 100);
    // Of 400 samples at least 6 must change, all for the better: 80 % likely (scipy.stats.binom.sf(5, 400, x) = 0.8) at x = 0.0196932.
    expect(smallestDetectable(columnsOf(a), columnsOf(b))).toBeCloseTo(1.96932, 3);
    const still = columnsOf(meanScore(Array<number>(400).fill(0.5)));
    expect(smallestDetectable(still, still)).toBeCloseTo(1.96932, 3);
  });

  it("of other metrics is 2.8 standard errors; unknown where a corpus metric does not spread", () => {
    const a = meanScore(Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 0.5 : 0.7)));
    const b = meanScore(Array<number>(100).fill(0.5));
    // Changes of 0 and 0.2 in turn: standard deviation 0.1005.
    expect(smallestDetectable(columnsOf(a), columnsOf(b))).toBeCloseTo(2.8016 * 1.00504, 3);
    const flat = columnsOf(
      ratioScore([
        [1, 2],
        [1, 2],
      ]),
    );
    expect(smallestDetectable(flat, flat)).toBeUndefined();
  });
});

describe("comparePaired", () => {
  it("says all of zeros and ones", () => {
    const [a, b] = pairOf(120, 14, 6, 50);
    const made = comparePaired(a, b, { seed: 1 });
    expect(made).toMatchObject({
      samples: 120,
      method: "Tango score interval",
      flips: { better: 14, worse: 6, same: 100 },
      effect: { oddsRatio: 14 / 6 },
    });
    expect(made.p.mcnemar).toBeCloseTo(0.11531829833984375, 10);
    expect(made.p.value).toBe(made.p.mcnemar);
    expect(made.p.randomization).toBeCloseTo(made.p.mcnemar!, 1);
    // Mean 8/120, variance (20 - 64/120) / 119.
    expect(made.effect.standardized).toBeCloseTo(8 / 120 / Math.sqrt((20 - 64 / 120) / 119), 10);
    expect(made.smallestDetectable).toBeGreaterThan(8);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  it("leaves out what has no meaning", () => {
    const equal = comparePaired(...pairOf(20, 0, 0, 5), { seed: 1, trials: 100 });
    expect(equal.effect).toEqual({});
    expect(equal.p).toEqual({ value: 1, bootstrap: 1, randomization: 1, mcnemar: 1 });
    expect(equal.allEqual).toBe(true);
    const graded = comparePaired(meanScore([0.5, 0.2, 0]), meanScore([0.1, 0.2, 0.3]), { seed: 1, trials: 100 });
    expect(graded.p).not.toHaveProperty("mcnemar");
    expect(graded.effect).not.toHaveProperty("oddsRatio");
    expect(graded.effect.standardized).toBeCloseTo(0.0949, 4);
    expect(comparePaired(...pairOf(20, 3, 0), { seed: 1, trials: 100 }).effect.oddsRatio).toBe(7);
    expect(comparePaired(meanScore([1]), meanScore([0]), { seed: 1, trials: 100 }).effect).not.toHaveProperty(
      "standardized",
    );
  });

  it("is the same for a seed", () => {
    const [a, b] = pairOf(50, 5, 9, 20);
    expect(comparePaired(a, b, { seed: 4 })).toEqual(comparePaired(a, b, { seed: 4 }));
    expect(comparePaired(a, b, { seed: 4 }).p).not.toEqual(comparePaired(a, b, { seed: 5 }).p);
  });

  it("refuses scores of other samples", () => {
    expect(() => comparePaired(meanScore([1, 0]), meanScore([1]), { seed: 1 })).toThrow(BoundaryError);
  });
});
