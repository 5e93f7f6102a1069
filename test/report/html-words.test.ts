import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wordDifferences, type Stretch } from "../../src/report/html/word-differences.js";

function own(stretches: readonly Stretch[]): string[] {
  return stretches.filter(({ isOwn }) => isOwn).map(({ text }) => text.trim());
}

describe("what two texts do not share", () => {
  it("is marked by whole words on either side", () => {
    const { left, right } = wordDifferences("the deep ships of Rome", "the dark ships of Rome, today");
    expect(own(left)).toEqual(["deep"]);
    expect(own(right)).toEqual(["dark", ", today"]);
  });

  it("is found where no spaces stand between words", () => {
    const { left, right } = wordDifferences("罗马是意大利的首都。", "巴黎是法国的首都。");
    expect(own(left)).toEqual(["罗马", "意大利"]);
    expect(own(right)).toEqual(["巴黎", "法国"]);
  });

  it("is not white space alone", () => {
    const { left, right } = wordDifferences("one  two\nthree", "one two three ");
    expect([...own(left), ...own(right)]).toEqual([]);
  });

  it("is everything where texts have too little in common to be worth comparing", () => {
    const text = (word: string): string => Array.from({ length: 3000 }, (_, i) => `${word}${i}`).join(" ");
    const { left, right } = wordDifferences(text("a"), text("b"));
    expect([left.length, right.length]).toEqual([1, 1]);
  });

  it("loses no character, marks nothing of equal texts, and all of a text beside none", () => {
    const texts = fc.array(fc.constantFrom("a", "b", " ", "\n", "é", "。", "猫", "don't"), { maxLength: 20 });
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [x, y] = [a.join(""), b.join("")];
        const { left, right } = wordDifferences(x, y);
        expect(left.map(({ text }) => text).join("")).toBe(x);
        expect(right.map(({ text }) => text).join("")).toBe(y);
        const shared = (all: readonly Stretch[]): string =>
          all
            .map(({ text, isOwn }) => (isOwn ? "" : text))
            .join("")
            .replace(/\s/g, "");
        expect(shared(left)).toBe(shared(right));
        expect(wordDifferences(x, x).left.some(({ isOwn }) => isOwn)).toBe(false);
        expect(wordDifferences(x, "").left.every(({ isOwn }) => isOwn)).toBe(true);
      }),
    );
  });
});
