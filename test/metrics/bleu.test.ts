import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError, UsageError } from "../../src/errors.js";
import { bleuFromStatistics, bleuMetric, bleuStatistics, type BleuOptions } from "../../src/metrics/bleu.js";
import { bleuTokenizers, type BleuTokenizer } from "../../src/metrics/bleu-tokenizers.js";
import { score } from "../../src/metrics/metric.js";
import { version } from "../../src/version.js";
import { cpuMilliseconds, expectAgreement, mtFixture } from "./mt-fixture.js";

fc.configureGlobal({ seed: 3 });

const defaults: BleuOptions = { tokenizer: "13a", smoothing: "exp", lowercase: false, effectiveOrder: false };
const tokenizers = Object.keys(bleuTokenizers) as readonly BleuTokenizer[];
const everyOption: readonly BleuOptions[] = tokenizers.flatMap((tokenizer) =>
  (["exp", "floor", "add-k", "none"] as const).flatMap((smoothing) =>
    [false, true].map((flag) => ({ tokenizer, smoothing, lowercase: flag, effectiveOrder: flag })),
  ),
);
const words = fc.array(fc.constantFrom("a", "the", "1,000.5", "x-1", "大熊", "😀", "\u3000", "Σ", "&lt;", "."), {
  maxLength: 12,
});
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  words.map((list) => list.join(" ")),
);
const texts = fc.array(text, { minLength: 1, maxLength: 4 });
const options = fc.constantFrom(...everyOption);

describe("values of sacreBLEU for random text (fixtures/mt.jsonl)", () => {
  const rows = mtFixture();
  it.each(rows.map((row, index) => [index + 1, row.bleu.signature, row] as const))(
    "line %i: %s",
    (_, signature, { hypotheses, references, bleu }) => {
      const tokenize = bleuTokenizers[bleu.options.tokenizer];
      const [first = ""] = hypotheses;
      expect(tokenize(bleu.options.lowercase ? first.toLowerCase() : first)).toEqual(bleu.tokens);
      const actual = score(bleuMetric(bleu.options), hypotheses, references);
      expect(actual.statistics).toEqual(bleu.statistics);
      expect(actual.signature).toBe(`${signature}|version:${version}`);
      expectAgreement(actual.value, bleu.corpus);
      for (const [index, value] of actual.perSample.entries()) expectAgreement(100 * value, bleu.sentences[index]);
    },
  );
});

describe("bleuStatistics", () => {
  it("takes the nearest reference length, of two the shorter", () => {
    const lengths = (...references: string[][]): number | undefined => bleuStatistics(["a", "b", "c"], references)[1];
    expect(lengths(["x", "x", "x", "x"], ["x", "x"])).toBe(2);
    expect(lengths(["x", "x"], ["x", "x", "x", "x"])).toBe(2);
    expect(lengths(["x"], ["x", "x", "x", "x"])).toBe(4);
    expect(lengths([])).toBe(0);
  });
  it("counts an n-gram as often as some single reference has it", () => {
    expect(
      bleuStatistics(
        ["a", "a", "a"],
        [
          ["a", "b"],
          ["a", "a"],
        ],
      ),
    ).toEqual([3, 2, 2, 1, 0, 0, 3, 2, 1, 0]);
  });
  it("refuses to go without a reference", () => {
    expect(() => bleuStatistics(["a"], [])).toThrow(BoundaryError);
    expect(() => bleuMetric(defaults).statistics("a", [])).toThrow(/without a reference/);
  });
});

describe("bleuFromStatistics", () => {
  it("gives the parts of the score", () => {
    const { score: value, ...parts } = bleuFromStatistics([4, 5, 2, 1, 0, 0, 4, 3, 2, 1], defaults);
    expect(parts).toEqual({
      bp: Math.exp(-1 / 4),
      precisions: [50, 100 / 3, 25, 25],
      counts: [2, 1, 0, 0],
      totals: [4, 3, 2, 1],
      sysLen: 4,
      refLen: 5,
    });
    expect(value).toBeCloseTo(100 * Math.exp(-1 / 4) * ((1 / 2) * (1 / 3) * (1 / 4) * (1 / 4)) ** 0.25, 10);
  });
  it("smooths in each of the ways", () => {
    const precisions = (smoothing: BleuOptions["smoothing"], smoothValue?: number): readonly number[] =>
      bleuFromStatistics([4, 4, 2, 1, 0, 0, 4, 3, 2, 1], {
        smoothing,
        effectiveOrder: false,
        ...(smoothValue === undefined ? {} : { smoothValue }),
      }).precisions;
    expect(precisions("exp")).toEqual([50, 100 / 3, 25, 25]);
    expect(precisions("floor")).toEqual([50, 100 / 3, 5, 10]);
    expect(precisions("floor", 0.5)).toEqual([50, 100 / 3, 25, 50]);
    expect(precisions("add-k")).toEqual([50, 50, 100 / 3, 50]);
    expect(precisions("add-k", 2)).toEqual([50, 60, 50, 200 / 3]);
    expect(precisions("none")).toEqual([50, 100 / 3, 0, 0]);
  });
  it("leaves out the orders that the output does not reach when the effective order is on", () => {
    const two = [2, 2, 2, 1, 0, 0, 2, 1, 0, 0];
    expect(bleuFromStatistics(two, { smoothing: "exp", effectiveOrder: true }).score).toBeCloseTo(100, 10);
    expect(bleuFromStatistics(two, { smoothing: "exp", effectiveOrder: false }).score).toBe(0);
  });
  it("is 0 without any match, however it is smoothed", () => {
    for (const smoothing of ["exp", "floor", "add-k", "none"] as const) {
      const { score: value, precisions } = bleuFromStatistics([9, 9, 0, 0, 0, 0, 9, 8, 7, 6], {
        smoothing,
        effectiveOrder: true,
      });
      expect([value, ...precisions]).toEqual([0, 0, 0, 0, 0]);
    }
  });
});

describe("bleuMetric", () => {
  it("has its options in name, label and signature, without those at their default in the name", () => {
    const all = { ...defaults, tokenizer: "zh", smoothing: "floor", lowercase: true, effectiveOrder: true } as const;
    expect(described(defaults)).toEqual(["bleu", "BLEU", "case:mixed|eff:no|tok:13a|smooth:exp"]);
    expect(described({ ...defaults, tokenizer: "zh" })[0]).toBe("bleu:tok=zh");
    expect(described({ ...all, smoothValue: 0.5 })).toEqual([
      "bleu:tok=zh:smooth=floor:smooth-value=0.5:lowercase=yes:effective-order=yes",
      "BLEU (tok=zh, smooth=floor, smooth-value=0.5, lowercase=yes, effective-order=yes)",
      "case:lc|eff:yes|tok:zh|smooth:floor[0.50]",
    ]);
    expect(described({ ...all, smoothValue: 0.1 })).toEqual(described(all));
  });
  it.each([
    [0.125, "0.12"],
    [0.375, "0.38"],
    [2.675, "2.67"],
    [0.005, "0.01"],
    [3, "3.00"],
  ])("writes the smoothing value %d as Python does", (smoothValue, written) => {
    expect(described({ ...defaults, smoothing: "add-k", smoothValue })[2]).toContain(`smooth:add-k[${written}]`);
  });
  it("refuses options that are not", () => {
    const unsafe = (wrong: object): (() => unknown) => {
      return () => bleuMetric({ ...defaults, ...wrong });
    };
    expect(unsafe({ tokenizer: "ja-mecab" })).toThrow(UsageError);
    expect(unsafe({ tokenizer: "ja-mecab" })).toThrow(/tokenizer.*"ja-mecab".*13a, zh, intl, char, none/);
    expect(unsafe({ smoothing: "add-n" })).toThrow(/smoothing.*"add-n"/);
    expect(unsafe({ smoothing: "floor", smoothValue: -1 })).toThrow(/at least 0/);
    expect(unsafe({ smoothing: "floor", smoothValue: Number.NaN })).toThrow(UsageError);
    expect(unsafe({ smoothing: "exp", smoothValue: 1 })).toThrow(/takes no value/);
  });
  it("gives a perfect output 100.00000000000004, as upstream", () => {
    const line = "The quick brown fox, aged 3.5, jumps.";
    expect(score(bleuMetric(defaults), [line], [[line]]).value).toBe(100.00000000000004);
  });
});

describe("BLEU of any text", () => {
  it("stays from 0 to 100", () => {
    fc.assert(
      fc.property(text, texts, options, (prediction, references, chosen) => {
        const { value, perSample } = score(bleuMetric(chosen), [prediction], [references]);
        for (const scaled of [value, 100 * (perSample[0] ?? Number.NaN)]) {
          expect(scaled >= 0 && scaled < 100.0000001).toBe(true);
        }
      }),
    );
  });
  it("is 1 for a sample that equals a reference, unless it has no token", () => {
    fc.assert(
      fc.property(text, texts, options, (prediction, references, chosen) => {
        const metric = bleuMetric(chosen);
        const statistics = metric.statistics(prediction, [...references, prediction]);
        expect(metric.sampleValue(statistics)).toBeCloseTo(statistics[0] === 0 ? 0 : 1, 10);
      }),
    );
  });
  it("never loses a match when a reference is added, nor more matches than n-grams", () => {
    fc.assert(
      fc.property(text, texts, text, options, (prediction, references, more, chosen) => {
        const metric = bleuMetric(chosen);
        const fewer = metric.statistics(prediction, references);
        const all = metric.statistics(prediction, [...references, more]);
        for (let order = 0; order < 4; order++) {
          expect(all[2 + order]).toBeGreaterThanOrEqual(fewer[2 + order]!);
          expect(all[2 + order]).toBeLessThanOrEqual(all[6 + order]!);
        }
      }),
    );
  });
  it("is quick on 100,000 characters", () => {
    const long = [
      "大熊猫喜欢吃竹子".repeat(12_500),
      "a, b. 1.5 ".repeat(10_000),
      ".,".repeat(50_000),
      "\u001c".repeat(100_000),
    ];
    for (const tokenizer of tokenizers) {
      for (const one of long) {
        const metric = bleuMetric({ ...defaults, tokenizer });
        expect(cpuMilliseconds(() => metric.statistics(one, [`${one.slice(1)} end`]))).toBeLessThan(1500);
      }
    }
  });
});

function described(chosen: BleuOptions): readonly string[] {
  const { name, label, signatureParts } = bleuMetric(chosen);
  return [name, label, signatureParts.map((part) => part.join(":")).join("|")];
}
