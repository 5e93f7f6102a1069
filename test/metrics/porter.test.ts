import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { porterStem } from "../../src/metrics/porter-stemmer.js";
import { porterRows } from "./text-fixture.js";

fc.configureGlobal({ seed: 3 });

describe("porterStem", () => {
  it("gives NLTK's stem of every word of the fixture", () => {
    const [row] = porterRows;
    const words = Object.keys(row?.stems ?? {});
    expect(words.length).toBeGreaterThan(2000);
    expect(Object.fromEntries(words.map((word) => [word, porterStem(word)]))).toEqual(row?.stems);
  });

  // The published algorithm gives dy, ski, new, in, proce, ti, di, enjoi, spy, geologi, ow, relation.
  it.each([
    ["dying", "die"],
    ["skies", "sky"],
    ["news", "news"],
    ["inning", "inning"],
    ["proceed", "proceed"],
    ["ties", "tie"],
    ["died", "die"],
    ["enjoy", "enjoy"],
    ["spy", "spi"],
    ["geologi", "geolog"],
    ["owed", "owe"],
    ["relationally", "relat"],
  ])("%s gives %s, as NLTK extends the algorithm", (word, stem) => {
    expect(porterStem(word)).toBe(stem);
  });

  it("counts digits as consonants and every other y of a run as a vowel", () => {
    expect(porterStem("1900s")).toBe("1900");
    expect(porterStem("a11ed")).toBe("a1");
    expect(["yed", "yying", "yyyed"].map(porterStem)).toEqual(["yed", "yy", "yy"]);
  });

  it("leaves words of one and two letters alone, and never lengthens or empties a word", () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from("aeiouyblstzdnr1")), maxLength: 12 });
    fc.assert(
      fc.property(word, (text) => {
        const stem = porterStem(text);
        if (text.length <= 2) expect(stem).toBe(text);
        expect(stem.length).toBeLessThanOrEqual(text.length);
        if (text !== "") expect(stem).not.toBe("");
      }),
    );
  });

  it.each(["y", "ed", "alli", "e", "ing", "1"])("takes 100,000 characters of %j in its stride", (unit) => {
    const start = performance.now();
    porterStem(unit.repeat(100_000 / unit.length));
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
