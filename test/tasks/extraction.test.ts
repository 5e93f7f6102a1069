import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { regexExtraction } from "../../src/tasks/extraction.js";

describe("regexExtraction", () => {
  it("takes the first group of the last match", () => {
    expect(regexExtraction("answer is (\\w+)")("the answer is no. Now the answer is yes.")).toBe("yes");
  });
  it("takes the whole match where there are no groups, and the group that took part where there are several", () => {
    expect(regexExtraction("\\d+")("1 and 22")).toBe("22");
    expect(regexExtraction("a=(\\d)|b=(\\d)")("a=1 b=2")).toBe("2");
  });
  it("gives the empty answer where nothing matches", () => {
    expect(regexExtraction("answer: (.*)")("no idea")).toBe("");
  });
  it("knows lines and characters outside the basic plane", () => {
    expect(regexExtraction("^#### (.+)$")("think\n#### 12\n")).toBe("12");
    expect(regexExtraction("^(.)$")("😀")).toBe("😀");
  });
  it("names what is wrong with a pattern", () => {
    expect(() => regexExtraction("(")).toThrow(UsageError);
    expect(() => regexExtraction("(")).toThrow(/--extract.*answer is/);
  });
  it("ends a pattern that backtracks without end, and says so", () => {
    expect(() => regexExtraction("(\\w+\\s?)+!")("so the answer is the one that nobody ever asked me for")).toThrow(
      /--extract takes longer than 2 s on an output of 54 characters/,
    );
  });
  it("is quick on 100,000 characters", () => {
    const started = performance.now();
    regexExtraction("(a+)+b")("x".repeat(100_000));
    regexExtraction("answer is (.*)")("answer is ".repeat(10_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
