import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError } from "../../src/errors.js";
import { lcsLength, unionsOfLcs } from "../../src/metrics/lcs.js";
import { score } from "../../src/metrics/metric.js";
import { rougeTokens } from "../../src/metrics/rouge-tokens.js";
import { rougeMetric, rougeScores, rougeTypes } from "../../src/metrics/rouge.js";
import { version } from "../../src/version.js";
import { asTuple, rougeRows } from "./text-fixture.js";

fc.configureGlobal({ seed: 3 });

const words = fc.constantFrom("cat", "cats", "running", "runs", "a", "1", "İ", "\u212a", "大", "é", ".");
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.tuple(words, fc.constantFrom(" ", " ", " ", "\n")), { maxLength: 60 })
    .map((list) => list.flat().join("")),
);

describe("rougeScores", () => {
  it("gives rouge_score's values for every row of the fixture, to the last bit", () => {
    expect(rougeRows.length).toBeGreaterThan(50);
    for (const { prediction, references, scores, tokens } of rougeRows) {
      for (const stemmer of [false, true]) {
        const expected = scores[stemmer ? "yes" : "no"];
        const actual = rougeScores(prediction, references, { stemmer });
        expect(rougeTokens(prediction, stemmer).tokens).toEqual(tokens[stemmer ? "yes" : "no"]);
        for (const type of rougeTypes) {
          expect(asTuple(actual[type])).toEqual(expected[type]);
          expect(rougeMetric({ type, stemmer }).statistics(prediction, references)).toEqual([expected[type][2]]);
        }
      }
    }
  });

  it("stays from 0 to 1 and gives 1 to a text with tokens against itself", () => {
    fc.assert(
      fc.property(text, text, fc.boolean(), (prediction, reference, stemmer) => {
        for (const value of Object.values(rougeScores(prediction, [reference], { stemmer })).flatMap(asTuple)) {
          expect(value >= 0 && value <= 1).toBe(true);
        }
        const count = rougeTokens(prediction, stemmer).tokens.length;
        const itself = rougeScores(prediction, [prediction], { stemmer });
        expect(asTuple(itself.rouge1)).toEqual(count > 0 ? [1, 1, 1] : [0, 0, 0]);
        expect(asTuple(itself.rouge2)).toEqual(count > 1 ? [1, 1, 1] : [0, 0, 0]);
        expect(asTuple(itself.rougeL)).toEqual(asTuple(itself.rouge1));
        expect(asTuple(itself.rougeLsum)).toEqual(asTuple(itself.rouge1));
      }),
    );
  });

  it("swaps precision and recall when prediction and reference are swapped", () => {
    fc.assert(
      fc.property(text, text, fc.boolean(), (left, right, stemmer) => {
        const there = rougeScores(left, [right], { stemmer });
        const back = rougeScores(right, [left], { stemmer });
        // Not Lsum: which of several longest subsequences is taken depends on the side.
        for (const type of ["rouge1", "rouge2", "rougeL"] as const) {
          expect([there[type].precision, there[type].recall]).toEqual([back[type].recall, back[type].precision]);
        }
      }),
    );
  });

  it("orders the types: L at most 1, and on one line Lsum as L", () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        const { rouge1, rougeL, rougeLsum } = rougeScores(left, [right], { stemmer: false });
        expect(rougeL.recall).toBeLessThanOrEqual(rouge1.recall);
        expect(rougeLsum.recall).toBeLessThanOrEqual(rouge1.recall);
        const oneLine = rougeScores(left.replaceAll("\n", " "), [right.replaceAll("\n", " ")], { stemmer: false });
        expect(oneLine.rougeLsum).toEqual(oneLine.rougeL);
      }),
    );
  });

  it("takes the whole triple of the first reference with the highest F, for each type by itself", () => {
    const scores = rougeScores("a b c d", ["a b", "a b c d e f g h", "d c b a"], { stemmer: false });
    expect(asTuple(scores.rouge1)).toEqual([1, 1, 1]);
    expect(asTuple(scores.rouge2)).toEqual([3 / 3, 3 / 7, (2 * (3 / 7)) / (1 + 3 / 7)]);
    expect(asTuple(scores.rougeL)).toEqual([0.5, 1, 1 / 1.5]);
    expect(() => rougeScores("a", [], { stemmer: false })).toThrow(BoundaryError);
  });

  it("unites the subsequences of a line with all lines, but counts no token more often than the prediction has it", () => {
    const { rougeL, rougeLsum } = rougeScores("c d\na b", ["a b c d\na"], { stemmer: false });
    expect(asTuple(rougeL)).toEqual([0.75, 0.6, (2 * 0.75 * 0.6) / 1.35]);
    expect(asTuple(rougeLsum)).toEqual([1, 0.8, 1.6 / 1.8]);
  });
});

describe("rougeTokens", () => {
  it.each([
    ["The Cat's 3.5 naïve", false, ["the", "cat", "s", "3", "5", "na", "ve"]],
    ["İstanbul \u212aelvin ΣΑΣ ﬁt ² Ａ", false, ["i", "stanbul", "kelvin", "t"]],
    ["你好", false, []],
    ["dying cats was skies", true, ["die", "cat", "was", "sky"]],
  ])("%j, stemmer %j: %j", (input, stemmer, tokens) => {
    expect(rougeTokens(input, stemmer).tokens).toEqual(tokens);
  });

  it("parts lines at line feeds alone and drops those without tokens", () => {
    expect(rougeTokens("a b\r\n \n\u2028c\rd\n", false).lines).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  it("keeps the same results when more texts come than it remembers", () => {
    const long = (index: number): string => `running${index}s cats${" ".repeat(1_000_000)}`;
    const stems = [0, 1, 2, 3, 4, 5, 0].map((index) => rougeTokens(long(index), true).tokens);
    expect(stems).toEqual([0, 1, 2, 3, 4, 5, 0].map((index) => [`running${index}`, "cat"]));
    expect(rougeTokens(long(5), false).tokens).toEqual(["running5s", "cats"]);
  });
});

describe("rougeMetric", () => {
  it("carries type and stemmer in name, label and signature", () => {
    expect(score(rougeMetric({ type: "rougeL", stemmer: true }), ["cats"], [["cat"]])).toMatchObject({
      metric: "rougeL:stemmer=yes",
      label: "ROUGE-L (stemmer=yes)",
      isBinary: false,
      value: 100,
      signature: `nrefs:1|rules:rouge-score-0.1.2|stemmer:yes|measure:fmeasure|version:${version}`,
    });
    expect(rougeMetric({ type: "rouge2", stemmer: false })).toMatchObject({ name: "rouge2", label: "ROUGE-2" });
    expect(() => rougeMetric({ type: "rouge1", stemmer: false }).statistics("a", [])).toThrow(BoundaryError);
  });

  const letters = (count: number): string =>
    Array.from({ length: count }, (_, i) => "abc"[(i * i + (i >> 3)) % 3]).join(" ");
  it.each([
    ["one line", letters(25_000)],
    ["one line of one word", "a ".repeat(25_000)],
    ["lines of 40 words", `${letters(40)}\n`.repeat(1250)],
    ["different short lines", Array.from({ length: 12_000 }, (_, i) => `a ${i + 100_000}`.slice(0, 8)).join("\n")],
    ["one word", "y".repeat(100_000)],
  ])("takes long texts in its stride: %s", (_, reference) => {
    // Processor time: other test files may run at the same time.
    const start = process.cpuUsage();
    for (const type of rougeTypes) rougeMetric({ type, stemmer: true }).statistics(`b ${reference} x`, [reference]);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(10);
  });
});

describe("longest common subsequences", () => {
  const tokens = (maxLength: number): fc.Arbitrary<Int32Array> =>
    fc.oneof(
      fc.array(fc.nat(2), { maxLength, size: "max" }).map((list) => Int32Array.from(list)),
      fc.array(fc.nat(40), { maxLength, size: "max" }).map((list) => Int32Array.from(list)),
    );
  const vocabularySize = 41;

  it("have the length of the plain table", () => {
    fc.assert(
      fc.property(tokens(150), tokens(150), (reference, candidate) => {
        expect(lcsLength(reference, candidate, vocabularySize)).toBe(plainTable(reference, candidate).at(-1)?.at(-1));
      }),
    );
  });

  it("are read out as from the plain table, also when few rows are kept", () => {
    const sides = fc.array(tokens(100), { maxLength: 3 });
    fc.assert(
      fc.property(sides, sides, fc.nat(100), (references, candidates, keptWords) => {
        const expected = references.map((reference) => plainUnion(reference, candidates));
        expect(unionsOfLcs(references, candidates, vocabularySize)).toEqual(expected);
        expect(unionsOfLcs(references, candidates, vocabularySize, keptWords)).toEqual(expected);
      }),
    );
  });

  it("make Lsum what the plain unions of all lines make it, repeated ones too", () => {
    const lines = fc.array(fc.array(fc.nat(5), { maxLength: 5 }), { maxLength: 12, size: "max" });
    fc.assert(
      fc.property(lines, lines, (prediction, reference) => {
        const asText = (list: readonly (readonly number[])[]): string => list.map((line) => line.join(" ")).join("\n");
        const { precision, recall } = rougeScores(asText(prediction), [asText(reference)], {
          stemmer: false,
        }).rougeLsum;
        const candidates = prediction.map((line) => Int32Array.from(line));
        const left = prediction.flat();
        let hits = 0;
        for (const line of reference) {
          for (const index of plainUnion(Int32Array.from(line), candidates)) {
            const at = left.indexOf(line[index]!);
            if (at < 0) continue;
            left.splice(at, 1);
            hits += 1;
          }
        }
        expect([precision, recall]).toEqual([
          hits / Math.max(prediction.flat().length, 1),
          hits / Math.max(reference.flat().length, 1),
        ]);
      }),
    );
  });
});

/** `_lcs_table` of rouge_score. */
function plainTable(reference: Int32Array, candidate: Int32Array): readonly (readonly number[])[] {
  const table = Array.from({ length: reference.length + 1 }, () => new Array<number>(candidate.length + 1).fill(0));
  for (let i = 1; i <= reference.length; i++) {
    for (let j = 1; j <= candidate.length; j++) {
      table[i]![j] =
        reference[i - 1] === candidate[j - 1]
          ? table[i - 1]![j - 1]! + 1
          : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
    }
  }
  return table;
}

/** `_union_lcs` and `_backtrack_norec` of rouge_score, as ascending indexes into the reference. */
function plainUnion(reference: Int32Array, candidates: readonly Int32Array[]): readonly number[] {
  const union = new Set<number>();
  for (const candidate of candidates) {
    const table = plainTable(reference, candidate);
    let [i, j] = [reference.length, candidate.length];
    while (i > 0 && j > 0) {
      if (reference[i - 1] === candidate[j - 1]) {
        union.add(i - 1);
        i -= 1;
        j -= 1;
      } else if (table[i]![j - 1]! > table[i - 1]![j]!) j -= 1;
      else i -= 1;
    }
  }
  return [...union].sort((left, right) => left - right);
}
