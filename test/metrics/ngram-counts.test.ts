import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { highestCounts, ngramCounts, sharedNgrams, tokenSymbols } from "../../src/metrics/ngram-counts.js";

fc.configureGlobal({ seed: 3 });

describe("ngramCounts", () => {
  it("shares one numbering among the sequences of an order", () => {
    const [unigrams, bigrams] = ngramCounts(
      tokenSymbols([
        ["a", "b", "a"],
        ["b", "a", "c"],
      ]),
      2,
    );
    expect(unigrams?.map((counts) => [...counts])).toEqual([
      [2, 1, 0],
      [1, 1, 1],
    ]);
    expect(bigrams?.map((counts) => [...counts])).toEqual([
      [1, 1, 0],
      [0, 1, 1],
    ]);
  });
  it("finds as many shared n-grams as counting joined tokens", () => {
    const tokens = fc.array(fc.constantFrom("a", "b", "c", "大"), { maxLength: 30 });
    fc.assert(
      fc.property(tokens, tokens, (left, right) => {
        for (const [index, [counts, others]] of ngramCounts(tokenSymbols([left, right]), 5).entries()) {
          expect(sharedNgrams(counts!, others!)).toBe(sharedPlainly(left, right, index + 1));
        }
      }),
    );
  });
  it("keeps apart symbols and numbers of any size", () => {
    const symbols = Int32Array.from({ length: 50_000 }, (_, index) => Math.imul(index, 0x9e3779b1) & 0x7fffffff);
    const [unigrams, bigrams] = ngramCounts([symbols], 2);
    expect(unigrams?.[0]).toHaveLength(50_000);
    expect(bigrams?.[0]).toHaveLength(49_999);
  });
});

describe("highestCounts", () => {
  it("takes each n-gram from the sequence that has most of it", () => {
    expect([...highestCounts([Int32Array.of(2, 0, 1), Int32Array.of(1, 3, 1)])]).toEqual([2, 3, 1]);
  });
});

function sharedPlainly(left: readonly string[], right: readonly string[], order: number): number {
  const rest = ngrams(right, order);
  return ngrams(left, order).filter((ngram) => {
    const at = rest.indexOf(ngram);
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  }).length;
}

function ngrams(tokens: readonly string[], order: number): string[] {
  return tokens.slice(order - 1).map((_, start) => tokens.slice(start, start + order).join(" "));
}
