import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { normalizeAnswer, normalizedTokens } from "../../src/metrics/normalize.js";

fc.configureGlobal({ seed: 3 });

describe("normalizeAnswer", () => {
  // Right column: what CPython 3.11 gives for the official normalize_answer.
  it.each([
    ["The  Cat, sat.", "cat sat"],
    ["1.5", "15"],
    ["A.N.", ""],
    ["an-other the_end", "another theend"],
    ["the", ""],
    ["then a banana", "then banana"],
    ["España", "españa"],
    ["a\u0301", "\u0301"],
    ["٣a ²the Ⅷan", "٣a ²the ⅷan"],
    ["大a大 大 a 大", "大a大 大 大"],
    ["a’s “the”", "’s “ ”"],
    ["x\u001cy\u001fz\u0085w\u00a0v\u3000u", "x y z w v u"],
    ["x\ufeffy\u200bz", "x\ufeffy\u200bz"],
    ["\ufeffthe cat", "\ufeff cat"],
    ["ΟΔΟΣ ΣΑΣ", "οδος σας"],
    ["İSTANBUL", "i̇stanbul"],
    ["\u{10400} \u{1d400}a", "\u{10428} \u{1d400}a"],
    ["", ""],
  ])("%j gives %j", (text, normalized) => {
    expect(normalizeAnswer(text)).toBe(normalized);
  });

  it("leaves single spaces between tokens and none at the ends", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const normalized = normalizeAnswer(text);
        expect(normalized).toBe(normalizedTokens(normalized).join(" "));
        expect(normalizedTokens(normalized)).not.toContain("");
      }),
    );
  });
});
