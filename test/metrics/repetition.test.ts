import { describe, expect, it } from "vitest";
import { endsInLoop } from "../../src/metrics/repetition.js";

describe("endsInLoop", () => {
  it.each([
    ["a phrase again and again", `He said: ${"I do not know. ".repeat(6)}`],
    ["cut in the middle of the phrase", `${"the red cat sat ".repeat(5)}the red c`],
    ["one character", `ok ${"!".repeat(40)}`],
    ["lines", "- one\n- two\n".repeat(8)],
    ["long units", `${"abcdefghij".repeat(15)}X`.repeat(4)],
  ])("sees %s", (_, text) => {
    expect(endsInLoop(text)).toBe(true);
  });
  it.each([
    ["nothing", ""],
    ["a short echo", "no no no no"],
    ["a phrase three times", "I do not know. ".repeat(3)],
    ["a loop that ends", `${"I do not know. ".repeat(6)}But then something quite different happened to them all.`],
    ["plain text", "The cat sat on the mat and looked at the dog, which looked at the cat on the mat."],
    ["a table of numbers", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"],
  ])("does not take %s for one", (_, text) => {
    expect(endsInLoop(text)).toBe(false);
  });
  it("is quick on 100,000 characters", () => {
    const started = performance.now();
    endsInLoop("a".repeat(50_000) + "b".repeat(50_000));
    expect(performance.now() - started).toBeLessThan(100);
  });
});
