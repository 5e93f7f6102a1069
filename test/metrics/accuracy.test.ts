import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BoundaryError } from "../../src/errors.js";
import { accuracyMetric, longerThanLabelMetric, normalizeLabel } from "../../src/metrics/accuracy.js";

fc.configureGlobal({ seed: 3 });

const accuracy = (answer: string, ...labels: string[]): number | undefined =>
  accuracyMetric().statistics(answer, labels)[0];
const overLong = (answer: string, ...labels: string[]): number | undefined =>
  longerThanLabelMetric().statistics(answer, labels)[0];
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("A", "a", "ß", "SS", " ", "\n", ".", "!", "。", "é", "e\u0301", "Σ", "ς") }),
);

describe("normalizeLabel", () => {
  it.each([
    [" Yes.\n", "yes"],
    ["A", "a"],
    ["the", "the"],
    ["No !?", "no"],
    ["是。", "是"],
    ["New\n  York…", "new york"],
    ["STRASSE", "strasse"],
    ["Straße", "strasse"],
    ["e\u0301", "\u00e9"],
    ["ΟΔΟΣ", normalizeLabel("οδοσ")],
    ["C#", "c#"],
    ["50%", "50%"],
    ["(A)", "(a)"],
    ["3.5", "3.5"],
    ["?", "?"],
    [" .. ", ".."],
    ["", ""],
  ])("%j gives %j", (label, normalized) => {
    expect(normalizeLabel(label)).toBe(normalized);
  });

  it("changes nothing the second time", () => {
    fc.assert(
      fc.property(text, (label) => {
        expect(normalizeLabel(normalizeLabel(label))).toBe(normalizeLabel(label));
      }),
    );
  });
});

describe("accuracyMetric", () => {
  it("wants the label and nothing else", () => {
    expect(accuracy("Yes.", "yes")).toBe(1);
    expect(accuracy("yes, it is", "yes")).toBe(0);
    expect(accuracy("A", "a", "b")).toBe(1);
    expect(accuracy("", "A")).toBe(0);
    expect(accuracy("", "")).toBe(1);
    expect(accuracy("C", "C#")).toBe(0);
    expect(accuracyMetric()).toMatchObject({
      name: "accuracy",
      isBinary: true,
      signatureParts: [["normalize", "label"]],
    });
  });

  it("finds a label in either case, between white space, before a full stop", () => {
    fc.assert(
      fc.property(text, text, (label, other) => {
        expect(accuracy(label, other, label)).toBe(1);
        expect(accuracy(` ${label.toUpperCase()}\n`, label)).toBe(1);
        expect(accuracy(label, other)).toBe(accuracy(other, label));
      }),
    );
  });
});

describe("longerThanLabelMetric", () => {
  it("counts answers that say more than every label", () => {
    expect(overLong("yes, it is", "yes")).toBe(1);
    expect(overLong("yes it is", "yes", "yes it was")).toBe(0);
    expect(overLong(" Yes.\n", "yes")).toBe(0);
    expect(overLong("", "")).toBe(0);
    expect(overLong("\u{1f600}", "ab")).toBe(0);
    expect(overLong("\u{1f600}\u{1f600}\u{1f600}", "abcd")).toBe(0);
    expect(longerThanLabelMetric()).toMatchObject({ name: "over-long", isBinary: true });
  });

  it("never counts an answer that is a label, and never counts more with one label more", () => {
    fc.assert(
      fc.property(text, text, text, (answer, label, other) => {
        expect((accuracy(answer, label) ?? 0) + (overLong(answer, label) ?? 0)).toBeLessThanOrEqual(1);
        expect(overLong(answer, label, other)).toBeLessThanOrEqual(overLong(answer, label) ?? 0);
        expect(overLong(`${answer} x`, answer)).toBe(1);
      }),
    );
  });
});

describe("both", () => {
  it("refuse a sample without a label", () => {
    expect(() => accuracy("yes")).toThrow(BoundaryError);
    expect(() => overLong("yes")).toThrow(/without a reference/);
  });

  it.each([" ", ".", ". ", "a", "ß", "\u0301", "\u{1f600}"])("are quick on long runs of %j", (unit) => {
    const long = `a${unit.repeat(100_000 / unit.length)}b`;
    const start = performance.now();
    accuracy(long, long);
    overLong(long, long);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
