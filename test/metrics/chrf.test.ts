import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { chrfFromStatistics, chrfMetric, chrfWords, type ChrfOptions } from "../../src/metrics/chrf.js";
import { score } from "../../src/metrics/metric.js";
import { version } from "../../src/version.js";
import { cpuMilliseconds, expectAgreement, mtFixture } from "./mt-fixture.js";

fc.configureGlobal({ seed: 3 });

const chrf: ChrfOptions = {
  characterOrder: 6,
  wordOrder: 0,
  beta: 2,
  lowercase: false,
  whitespace: false,
  epsSmoothing: false,
};
const chrfPlusPlus: ChrfOptions = { ...chrf, wordOrder: 2 };
const everyOption: readonly ChrfOptions[] = [chrf, chrfPlusPlus].flatMap((options) => [
  options,
  { ...options, epsSmoothing: true },
  { ...options, lowercase: true, whitespace: true, beta: 1 },
]);
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("a", "the", "(hi)", "é", "e\u0301", "大熊", "😀", "\u0085", "Σ"), { maxLength: 12 })
    .map((list) => list.join(" ")),
);
const texts = fc.array(text, { minLength: 1, maxLength: 4 });
const options = fc.constantFrom(...everyOption);

describe("values of sacreBLEU for random text (fixtures/mt.jsonl)", () => {
  const rows = mtFixture();
  it.each(rows.map((row, index) => [index + 1, row.chrf.signature, row] as const))(
    "line %i: %s",
    (_, signature, row) => {
      const actual = score(chrfMetric(row.chrf.options), row.hypotheses, row.references);
      expect(actual.statistics).toEqual(row.chrf.statistics);
      expect(actual.signature).toBe(`${signature}|version:${version}`);
      expectAgreement(actual.value, row.chrf.corpus);
      for (const [index, value] of actual.perSample.entries()) expectAgreement(100 * value, row.chrf.sentences[index]);
    },
  );
});

describe("statistics", () => {
  const statistics = (prediction: string, references: readonly string[], whitespace = false): readonly number[] =>
    chrfMetric({ ...chrf, characterOrder: 2, whitespace }).statistics(prediction, references);
  it("are [output, reference, both] for each order, by code point, without whitespace", () => {
    expect(statistics("😀 b", ["😀bb"])).toEqual([2, 3, 2, 1, 2, 1]);
    expect(statistics("a\u001cb\u0085", ["ab"])).toEqual([2, 2, 2, 1, 1, 1]);
    expect(statistics("a b", ["ab"], true)).toEqual([3, 2, 2, 2, 1, 0]);
  });
  it("leave out the output's n-grams at orders that the reference does not reach, not the other way round", () => {
    expect(statistics("abc", ["a"])).toEqual([3, 1, 1, 0, 0, 0]);
    expect(statistics("a", ["abc"])).toEqual([1, 3, 1, 0, 2, 0]);
  });
  it("are of the best reference, the first of equals", () => {
    expect(statistics("ab", ["xyz", "ab", "ba"])).toEqual([2, 2, 2, 1, 1, 1]);
    expect(statistics("ab", ["xyz", "vw"])).toEqual([2, 3, 0, 1, 2, 0]);
  });
  it("are refused without a reference", () => {
    expect(() => statistics("a", [])).toThrow(BoundaryError);
    expect(() => statistics("a", [])).toThrow(/without a reference/);
  });
});

describe("chrfWords", () => {
  it.each([
    ["(hi) there", ["(hi", ")", "there"]],
    ["(hi there!!", ["(", "hi", "there!", "!"]],
    [". .. 。a a。", [".", ".", ".", "。a", "a。"]],
    ["a\u001c😀, ,😀", ["a", "😀", ",", ",", "😀"]],
    ["", []],
  ])("%j gives %j", (line, tokens) => {
    expect(chrfWords(line)).toEqual(tokens);
  });
});

describe("chrfFromStatistics", () => {
  it("takes the F-score of the mean precision and recall over the orders that both sides have", () => {
    const precision = (2 / 4 + 1 / 3) / 2;
    const recall = (2 / 5 + 1 / 4) / 2;
    const expected = (100 * 5 * precision * recall) / (4 * precision + recall);
    expect(chrfFromStatistics([4, 5, 2, 3, 4, 1, 0, 3, 0], { beta: 2, epsSmoothing: false })).toBeCloseTo(expected, 12);
  });
  it("takes the mean of the F-scores over all orders with epsilon smoothing", () => {
    expect(chrfFromStatistics([2, 2, 2, 0, 1, 0], { beta: 1, epsSmoothing: true })).toBeCloseTo(50, 12);
  });
  it("is 0 of nothing", () => {
    expect(chrfFromStatistics([0, 0, 0, 0, 0, 0], { beta: 2, epsSmoothing: false })).toBe(0);
  });
});

describe("chrfMetric", () => {
  it("has its options in name, label and signature, without those at their default in the name", () => {
    expect(described(chrf)).toEqual(["chrf", "chrF2", "case:mixed|eff:yes|nc:6|nw:0|space:no"]);
    expect(described(chrfPlusPlus)).toEqual(["chrf:word-order=2", "chrF2++", "case:mixed|eff:yes|nc:6|nw:2|space:no"]);
    expect(
      described({ characterOrder: 5, wordOrder: 1, beta: 3, lowercase: true, whitespace: true, epsSmoothing: true }),
    ).toEqual([
      "chrf:char-order=5:word-order=1:beta=3:lowercase=yes:whitespace=yes:eps-smoothing=yes",
      "chrF3+ (char-order=5, lowercase=yes, whitespace=yes, eps-smoothing=yes)",
      "case:lc|eff:no|nc:5|nw:1|space:yes",
    ]);
  });
  it.each([
    [{ characterOrder: -1 }, /character order.*found -1/],
    [{ characterOrder: 1.5 }, /character order/],
    [{ characterOrder: 1e9 }, /from 0 to 100/],
    [{ wordOrder: Number.NaN }, /word order/],
    [{ beta: 0 }, /beta.*found 0/],
    [{ characterOrder: 0 }, /no n-grams/],
  ])("refuses %j", (wrong, message) => {
    expect(() => chrfMetric({ ...chrf, ...wrong })).toThrow(UsageError);
    expect(() => chrfMetric({ ...chrf, ...wrong })).toThrow(message);
  });
});

describe("chrF of any text", () => {
  it("stays from 0 to 100 and does not fall when a reference is added", () => {
    fc.assert(
      fc.property(text, texts, text, options, (prediction, references, more, chosen) => {
        const metric = chrfMetric(chosen);
        const fewer = metric.sampleValue(metric.statistics(prediction, references));
        const all = metric.sampleValue(metric.statistics(prediction, [...references, more]));
        expect(fewer >= 0 && fewer <= all && all < 1.000000001).toBe(true);
      }),
    );
  });
  it("is 100 of a text with itself, unless that has no character", () => {
    fc.assert(
      fc.property(text, texts, fc.constantFrom(chrf, chrfPlusPlus), (prediction, references, chosen) => {
        const { statistics, value } = score(chrfMetric(chosen), [prediction], [[...references, prediction]]);
        expect(value).toBeCloseTo(statistics[0]?.[0] === 0 ? 0 : 100, 10);
      }),
    );
  });
  it("is quick on 100,000 characters", () => {
    const long = [
      "大熊猫喜欢吃竹子".repeat(12_500),
      "ab, cd. ".repeat(12_500),
      "a".repeat(100_000),
      "😀".repeat(50_000),
    ];
    for (const one of long) {
      const metric = chrfMetric(chrfPlusPlus);
      expect(cpuMilliseconds(() => metric.statistics(one, [`${one.slice(1)} end`]))).toBeLessThan(1500);
    }
  });
});

function described(chosen: ChrfOptions): readonly string[] {
  const { name, label, signatureParts } = chrfMetric(chosen);
  return [name, label, signatureParts.map((part) => part.join(":")).join("|")];
}
