import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError } from "../../src/errors.js";
import { extractFlexible, extractStrict, gsm8kMetric, normalizeNumber } from "../../src/metrics/gsm8k.js";
import { score } from "../../src/metrics/metric.js";
import { gsm8kRows } from "./text-fixture.js";

fc.configureGlobal({ seed: 3 });

const strict = (response: string, ...references: string[]): number | undefined =>
  gsm8kMetric("strict").statistics(response, references)[0];
const flexible = (response: string, ...references: string[]): number | undefined =>
  gsm8kMetric("flexible").statistics(response, references)[0];

describe("gsm8kMetric", () => {
  it("gives what lm-eval's task gives for every row of the fixture", () => {
    expect(gsm8kRows.length).toBeGreaterThan(100);
    for (const { response, reference, ...expected } of gsm8kRows) {
      expect({
        kind: "gsm8k",
        strict: extractStrict(response),
        flexible: extractFlexible(response),
        strictMatch: strict(response, reference),
        flexibleMatch: flexible(response, reference),
      }).toEqual(expected);
    }
  });

  it("never takes numbers that are equal for strings that are", () => {
    expect(flexible("It is 92.0", "#### 92")).toBe(0);
    expect(flexible("It is 92.", "#### 92")).toBe(1);
    expect(flexible("It is $1,092", "#### 1092")).toBe(1);
  });

  it("takes a reference without a marker for the number itself, and the best of several", () => {
    expect(strict("#### 18", "18")).toBe(1);
    expect(strict("#### 18", "####18")).toBe(0);
    expect(strict("#### 18", "17", "so\n#### 18")).toBe(1);
    expect(() => strict("#### 18")).toThrow(BoundaryError);
  });

  it("says in the signature whose rules and which filter decide", () => {
    expect(score(gsm8kMetric("strict"), ["#### 1"], [["1"]])).toMatchObject({
      metric: "gsm8k-strict",
      label: "EM (strict)",
      isBinary: true,
      value: 100,
      signature: expect.stringMatching(/^nrefs:1\|rules:lm-eval-gsm8k-v3\.0\|filter:strict-match\|/) as string,
    });
    expect(gsm8kMetric("flexible")).toMatchObject({ name: "gsm8k-flexible", label: "EM (flexible)", isBinary: true });
  });

  it("finds the number it is given, in either way, behind any text", () => {
    const filler = fc.string({ unit: fc.constantFrom(...Array.from("01-$,.a# \n\0é大")) });
    fc.assert(
      fc.property(filler, fc.integer(), (text, number) => {
        const response = `${text.replaceAll("# ", "")}\n#### ${number}`;
        expect(strict(response, `x #### ${number}`)).toBe(1);
        expect(flexible(response, String(number))).toBe(1);
        expect(strict(response, String(number + 1))).toBe(0);
      }),
    );
  });

  it.each(["#", "#### ", "1", "-", ".", ",", "$", "1 ", "\0", "\n", "#### 1", "1.\n"])(
    "is quick on long runs of %j",
    (unit) => {
      const text = unit.repeat(100_000 / unit.length);
      const start = performance.now();
      for (const tail of ["", "x"]) {
        strict(text + tail, text + tail);
        flexible(text + tail, text + tail);
      }
      expect(performance.now() - start).toBeLessThan(1000);
    },
  );
});

describe("extracting and comparing", () => {
  it.each([
    ["#### 1 and #### 2", "1", "2"],
    ["####  1", "[invalid]", "1"],
    ["####1", "[invalid]", "1"],
    ["#### $5", "[invalid]", "$5"],
    ["#### -1,000.50.", "-1,000.50.", "-1,000.50."],
    ["Really... 7", "[invalid]", "7"],
    ["7 eggs...", "[invalid]", "..."],
    ["7 eggs.", "[invalid]", "7"],
    ["--12", "[invalid]", "-12"],
    ["٣٤ and １２", "[invalid]", "[invalid]"],
    ["", "[invalid]", "[invalid]"],
  ])("%j: strict %j, flexible %j", (response, byStrict, byFlexible) => {
    expect(extractStrict(response)).toBe(byStrict);
    expect(extractFlexible(response)).toBe(byFlexible);
  });

  it.each([
    ["a #### 1 #### $1,234.", "1234"],
    ["5.\n", "5\n"],
    ["5.\r\n", "5.\r\n"],
    ["5..", "5."],
    [" 5 ", " 5 "],
    ["5.\0", "5"],
    ["5\0.", "5"],
    ["#### ", ""],
    ["##,## 7", "7"],
    ["[INVALID]", "[invalid]"],
  ])("%j is compared as %j", (answer, compared) => {
    expect(normalizeNumber(answer)).toBe(compared);
  });
});
