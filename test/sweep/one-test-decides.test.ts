import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Score } from "../../src/metrics/metric.js";
import { bleuMetric } from "../../src/metrics/bleu.js";
import { score } from "../../src/metrics/metric.js";
import { columnsOf, eachOnce } from "../../src/statistics/columns.js";
import { analyticDifference, cautiousLow } from "../../src/statistics/difference.js";
import { preferenceShare } from "../../src/statistics/preference.js";
import type { PairedDifference } from "../../src/choice/confirm.js";
import { pText, pointsBeside, shareRange, signedBeside, signedRange } from "../../src/choice/format-points.js";
import { verdict } from "../../src/choice/verdict.js";
import { meanScore, pairOf, ratioScore } from "../statistics/scores.js";

/** A random pair of scores on the same samples. */
type Pair = readonly [Score, Score];

const length = fc.integer({ min: 1, max: 60 });

/** Right and wrong: few or many samples that differ, among up to 300. */
const binary = fc
  .tuple(fc.nat(14), fc.nat(14), fc.integer({ min: 1, max: 300 }))
  .map(([better, worse, rest]): Pair => pairOf(better + worse + rest, better, worse));

/** Values from 0 to 1 such as F1; most samples are the same on both sides where `changing` is low, and samples come in clusters of copies. */
const graded = fc
  .record({
    values: length.chain((n) => fc.array(fc.tuple(fc.nat(6), fc.nat(6), fc.nat(9)), { minLength: n, maxLength: n })),
    changing: fc.integer({ min: 1, max: 10 }),
    lift: fc.nat(4),
    copies: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ values, changing, lift, copies }): Pair => {
    const rows = values.flatMap((row) => Array<typeof row>(copies).fill(row));
    const a = rows.map(([x, y, draw]) => (draw < changing ? Math.min(6, y + lift) / 6 : x / 6));
    return [
      meanScore(a, false),
      meanScore(
        rows.map(([x]) => x / 6),
        false,
      ),
    ];
  });

/** A ratio of sums such as BLEU's precisions. */
const corpus = length
  .chain((n) => fc.array(fc.tuple(fc.nat(5), fc.nat(5), fc.nat(9)), { minLength: n, maxLength: n }))
  .chain((rows) => fc.tuple(fc.constant(rows), fc.integer({ min: 1, max: 10 }), fc.nat(3)))
  .map(([rows, changing, lift]): Pair => {
    const side = (of: (row: readonly [number, number, number]) => number): Score =>
      ratioScore(rows.map((row) => [of(row), 8]));
    return [side(([x, y, draw]) => (draw < changing ? Math.min(8, y + lift) : x)), side(([x]) => x)];
  });

const WORDS = ["a", "b", "c", "d", "e", "f"];
const sentence = fc.array(fc.constantFrom(...WORDS), { minLength: 4, maxLength: 9 }).map((words) => words.join(" "));

/** BLEU itself, of sentences that are the reference, or lose some words of it. */
const bleu = fc.array(fc.tuple(sentence, sentence, fc.nat(5)), { minLength: 1, maxLength: 25 }).map((rows): Pair => {
  const metric = bleuMetric({ tokenizer: "13a", smoothing: "exp", effectiveOrder: false, lowercase: false });
  const references = rows.map(([reference]) => [reference]);
  const of = (texts: string[]): Score => score(metric, texts, references);
  return [
    of(rows.map(([reference, other, draw]) => (draw === 0 ? other : reference))),
    of(rows.map(([reference, other, draw]) => (draw < 3 ? other : reference))),
  ];
});

function differenceOf([a, b]: Pair): PairedDifference {
  const { estimate, p, low, high, method } = analyticDifference(columnsOf(a), columnsOf(b), eachOnce(a.n), 0.95);
  const counts = { better: 0, worse: 0, same: 0 };
  return {
    difference: estimate,
    low,
    high,
    method,
    ...counts,
    p: { value: p, bootstrap: 1, randomization: 1 },
    effect: {},
  };
}

/** What the verdict of a sweep says of the difference, on each part of the samples: its sentence, read as better, worse or neither. */
function wordsOf(difference: PairedDifference): readonly ("better" | "worse" | "neither")[] {
  const facts = (number: number): { number: number; keptModules: number; bytes: number } => {
    return { number, keptModules: number, bytes: number };
  };
  return (["holdout", "selection", "folds"] as const).map((part) => {
    const { sentences } = verdict({
      ...{ chosen: facts(2), full: facts(4), layerCount: 4, primary: "m", rule: "best", reasons: [] },
      confirmation: {
        part,
        samples: 10,
        comparisons: [
          {
            ...{ metric: "m", label: "M", chosen: 0, full: 0, base: 0 },
            ...{ chosenMinusFull: difference, chosenMinusBase: difference },
          },
        ],
      },
    });
    const text = sentences[2] ?? "";
    if (/better than the full adapter|^Better/.test(text)) return "better";
    return /worse than the full adapter/.test(text) ? "worse" : "neither";
  });
}

/** Reads a printed interval. */
const ends = (text: string): readonly number[] => text.split(" to ").map(Number);
const isBelow = (p: string, level: number): boolean => p.startsWith("< ") || Number(p) < level;

describe.each([
  ["right and wrong", binary],
  ["graded means, in clusters", graded],
  ["ratios of sums", corpus],
  ["BLEU", bleu],
] as const)("of %s, one test decides", (_, pairs) => {
  it("the words, the interval and p, as computed and as printed", () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        const made = differenceOf(pair);
        const excludes = made.low > 0 || made.high < 0;
        expect(made.p.value < 0.05).toBe(excludes);
        const [low = Number.NaN, high = Number.NaN] = ends(signedRange(made));
        expect(low > 0 || high < 0).toBe(excludes);
        expect(isBelow(pText(made.p.value), 0.05)).toBe(excludes);
        const word = made.low > 0 ? "better" : made.high < 0 ? "worse" : "neither";
        expect(wordsOf(made)).toEqual([word, word, word]);
        expect(made.p.value).toBeGreaterThanOrEqual(0);
        expect(made.p.value).toBeLessThanOrEqual(1);
      }),
      { numRuns: 400 },
    );
  });

  it("and mirrors where the sides are swapped; no claim of being no worse goes beyond it", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const [forward, backward] = [differenceOf([a, b]), differenceOf([b, a])];
        expect(backward.low).toBeCloseTo(-forward.high, 6);
        expect(backward.p.value).toBeCloseTo(forward.p.value, 6);
        const least = cautiousLow(columnsOf(a), columnsOf(b), eachOnce(a.n), 0.95);
        expect(least).toBeLessThanOrEqual(forward.low + 1e-9);
      }),
      { numRuns: 100 },
    );
  });
});

describe("few samples that differ", () => {
  // The p of scipy.stats.binomtest(better, better + worse).
  it.each([
    [4, 0, 100, 0.125, "neither"],
    [5, 0, 100, 0.0625, "neither"],
    [6, 0, 100, 0.03125, "better"],
    [0, 6, 100, 0.03125, "worse"],
    [7, 1, 100, 0.0703125, "neither"],
    [8, 1, 40, 0.0390625, "better"],
    [3, 0, 3, 0.25, "neither"],
  ] as const)("%d better and %d worse of %d: p = %d, %s", (better, worse, samples, p, word) => {
    const made = differenceOf(pairOf(samples, better, worse));
    expect(made.p.value).toBeCloseTo(p, 12);
    expect(wordsOf(made)[0]).toBe(word);
  });

  it("say no more as graded values or in a ratio of sums than as right and wrong", () => {
    const [a, b] = pairOf(100, 4, 0, 60);
    for (const pair of [
      [meanScore(a.perSample, false), meanScore(b.perSample, false)],
      [ratioScore(a.perSample.map((x) => [x, 1])), ratioScore(b.perSample.map((x) => [x, 1]))],
      [meanScore([0.9, 0.9, 0.9, 0.9], false), meanScore([0.1, 0.1, 0.1, 0.1], false)],
      [ratioScore([[1, 2]]), ratioScore([[0, 2]])],
    ] as const) {
      const { low, high, p } = differenceOf(pair);
      expect(low).toBeLessThan(0);
      expect(high).toBeGreaterThan(0);
      expect(p.value).toBeGreaterThan(0.05);
    }
  });
});

describe("preferences", () => {
  it("have an interval that leaves 50 out, as printed too, if and only if the sign test rejects", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (wins, losses) => {
        const share = preferenceShare(wins, losses);
        if (!share) return;
        const excludes = share.low > 50 || share.high < 50;
        expect(share.p < 0.05).toBe(excludes);
        const [low = Number.NaN, high = Number.NaN] = ends(shareRange(share));
        expect(low > 50 || high < 50).toBe(excludes);
        expect(isBelow(pText(share.p), 0.05)).toBe(excludes);
      }),
      { numRuns: 400 },
    );
  });
});

describe("rounding", () => {
  it("moves no p and no end across what it is compared with", () => {
    expect([0, 0.0009999, 0.001, 0.0494].map(pText)).toEqual(["< 0.001", "< 0.001", "0.001", "0.049"]);
    expect([0.0496, 0.04996, 0.0499999999].map(pText)).toEqual(["0.0496", "0.04996", "< 0.05"]);
    expect([0.05, 0.0504, 0.9996, 1].map(pText)).toEqual(["0.050", "0.050", "1.000", "1.000"]);
    expect(signedRange({ low: 0.031, high: 5.26 })).toBe("+0.03 to +5.3");
    expect(signedRange({ low: -5.26, high: -0.0004 })).toBe("-5.3 to -0.0004");
    expect(signedRange({ low: -0.031, high: 5.26 })).toBe("0.0 to +5.3");
    expect(signedRange({ low: 0, high: 0 })).toBe("0.0 to 0.0");
    expect(shareRange({ low: 50.02, high: 70 })).toBe("50.02 to 70.0");
    expect(shareRange({ low: 49.98, high: 70 })).toBe("50.0 to 70.0");
    // A loss that is shown to be less than the margin is not printed as the margin, nor one that is not shown to be.
    expect(signedBeside(-1.97, -2)).toBe("-1.97");
    expect(pointsBeside(2.02, 2)).toBe("2.02");
    expect(pointsBeside(2, 2)).toBe("2.0");
  });
});
