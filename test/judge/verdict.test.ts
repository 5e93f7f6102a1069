import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMark, parsePreference } from "../../src/judge/verdict.js";

fc.configureGlobal({ seed: 5 });

describe("parseMark", () => {
  it.each([
    ["0", 0],
    ["8", 0.8],
    ["10", 1],
    ["  7\n", 0.7],
    ["8/10", 0.8],
    ["8 / 10", 0.8],
    ["10/10.", 1],
    ["8 out of 10", 0.8],
    ["8.", 0.8],
    ["8.0", 0.8],
    ["**8**", 0.8],
    ["`8`", 0.8],
    ['"8"', 0.8],
    ["(8)", 0.8],
    ["Score: 8", 0.8],
    ["score 8", 0.8],
    ["**Score:** 8", 0.8],
    ["Final score: **8/10**", 0.8],
    ["My rating is 6", 0.6],
    ["The overall grade = 6.", 0.6],
    ["８", 0.8],
    ["Score：９", 0.9],
    ["<think>first 3, then 4 of 10</think>\n\n9", 0.9],
    ["it may be 3</think>9", 0.9],
  ])("reads %j", (answer, share) => {
    expect(parseMark(answer)).toBe(share);
  });

  it.each([
    "",
    " ",
    "11",
    "100",
    "-3",
    "7.5",
    "7,5",
    "8.05",
    ".8",
    "08",
    "between 7 and 8",
    "7-8",
    "7 or 8",
    "7 8",
    "8/5",
    "8/100",
    "80%",
    "eight",
    "8 points",
    "8\n\nThe summary is good.",
    "The summary is good: 8",
    "I would give it an 8",
    "Score: 8 because it is fluent",
    "Score:",
    "A",
    "<think>8",
    "<think>8</think>",
    "1e1",
    "0x8",
    "NaN",
    `8${" .".repeat(100)}`,
  ])("does not guess at %j", (answer) => {
    expect(parseMark(answer)).toBeUndefined();
  });

  it("gives a tenth from 0 to 1 or nothing, on any text", () => {
    const near = fc.array(
      fc.constantFrom("8", "10", "0", ".", "/10", "Score:", " ", "*", "-", "11", "8.5", "A", "\n"),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          near.map((list) => list.join("")),
        ),
        (answer) => {
          const mark = parseMark(answer);
          if (mark === undefined) return;
          expect(Number.isInteger(mark * 10) && mark >= 0 && mark <= 1).toBe(true);
          // All the digits of the answer are those of the mark, of `.0` and of `/10`.
          const digits = answer
            .normalize("NFKC")
            .replace(/(\/|out of)\s*10/i, "")
            .replace(/\.0+/, "")
            .replace(/\D/g, "");
          expect(digits).toBe(String(mark * 10));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("is quick on 100,000 characters", () => {
    const start = performance.now();
    for (const text of ["8".repeat(100_000), `8${" ".repeat(100_000)}x`, "*".repeat(100_000)]) parseMark(text);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe("parsePreference", () => {
  it.each([
    ["A", "A"],
    ["B", "B"],
    [" b \n", "B"],
    ["**A**", "A"],
    ["A.", "A"],
    ["(B)", "B"],
    ["[[A]]", "A"],
    ["Answer A", "A"],
    ["answer: B", "B"],
    ["The better answer is B.", "B"],
    ["Option B", "B"],
    ["<think>A is short. B?</think>A", "A"],
  ])("reads %j", (answer, letter) => {
    expect(parsePreference(answer)).toBe(letter);
  });

  it.each([
    "",
    "C",
    "AB",
    "A or B",
    "A and B",
    "both",
    "neither",
    "tie",
    "A is better",
    "Not A",
    "A, because",
    "A\nB",
    "answer",
    "1",
    "а",
  ])("does not guess at %j", (answer) => {
    expect(parsePreference(answer)).toBeUndefined();
  });
});
