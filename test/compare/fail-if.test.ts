import { describe, expect, it } from "vitest";
import { failsOn, parseFailCondition } from "../../src/compare/fail-if.js";
import { UsageError } from "../../src/errors.js";

const METRICS = ["em", "f1", "bleu:tok=zh"];
const SYSTEMS = ["full", "K=20", "trimmed-2", "run#full", "trimmed"];
const values: Readonly<Record<string, number>> = {
  ...{ "em full": 50, "em trimmed": 48.5, "em K=20": 51, "f1 trimmed": 60, "em trimmed-2": 60 },
  ...{ "em run#full": 40, "bleu:tok=zh trimmed": 20, "bleu:tok=zh full": 21.5 },
};
const fails = (text: string): boolean =>
  failsOn(parseFailCondition(text, METRICS, SYSTEMS), (metric, system) => values[`${metric} ${system}`] ?? Number.NaN);

describe("--fail-if", () => {
  it.each([
    ["em < full - 1.0", true],
    ["em < full - 2", false],
    ["em<full-1.0", true],
    ["em >= 48.5", true],
    ["em > 48.5", false],
    ["em <= 40 + 8.5", true],
    ["em@K=20 < full", false],
    ["em@full < em@K=20", true],
    ["f1 < 60.1", true],
    ["em@run#full < 40.5", true],
    ["em <= run#full + 8.5", true],
    ["bleu:tok=zh < full - 1", true],
    ["bleu:tok=zh@full < bleu:tok=zh@trimmed + 1", false],
    // A system's name may end like a subtraction: what it names counts first.
    ["em < trimmed-2", true],
    ["em < trimmed-2 - 11", true],
    ["em < trimmed-2 - 12", false],
    ["em@full < em@trimmed-2", true],
  ])("%s is %s", (text, expected) => {
    expect(fails(text)).toBe(expected);
  });
  it.each([
    ["em", /cannot be read/],
    ["em < ", /cannot be read/],
    ["em = full", /cannot be read/],
    ["en < full", /unknown metric.*"en".*Did you mean em/s],
    ["em < ful - 1", /unknown system.*"ful".*Did you mean full/s],
    ["em@trimed < full", /unknown system.*Did you mean trimmed/s],
  ])("%s is refused", (text, message) => {
    expect(() => parseFailCondition(text, METRICS, SYSTEMS)).toThrow(UsageError);
    expect(() => parseFailCondition(text, METRICS, SYSTEMS)).toThrow(message);
  });
});
