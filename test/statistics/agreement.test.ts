import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nominalAgreement } from "../../src/statistics/agreement.js";
import { votesFixture } from "./votes-fixture.js";

describe("nominalAgreement", () => {
  it("gives the alpha of the Python package krippendorff", () => {
    const { agreement } = votesFixture();
    expect(agreement.filter(({ alpha }) => alpha !== null).length).toBeGreaterThan(30);
    for (const { units, alpha } of agreement) {
      const own = nominalAgreement(units)?.alpha;
      if (alpha === null) expect(own).toBeUndefined();
      else expect(own).toBeCloseTo(alpha, 10);
    }
  });

  it("gives the alpha of Krippendorff's own example with missing data", () => {
    // Krippendorff 2011, section C: 4 observers, 12 units, 5 values; alpha for nominal data 0.743.
    const rows = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."];
    const units = Array.from({ length: 12 }, (_, at) =>
      rows.map((row) => row[at] ?? ".").filter((label) => label !== "."),
    );
    expect(nominalAgreement(units)?.alpha).toBeCloseTo(0.743, 3);
    expect(nominalAgreement(units)?.units).toBe(11);
  });

  it("of two raters who labelled all is the share of equal labels", () => {
    const labels = fc.constantFrom("a", "b", "tie");
    fc.assert(
      fc.property(fc.array(fc.tuple(labels, labels), { minLength: 1 }), (units) => {
        const own = nominalAgreement(units);
        expect(own?.raw).toBeCloseTo(units.filter(([one, other]) => one === other).length / units.length, 12);
        expect(own?.alpha ?? 1).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("says nothing where no unit has two labels, and has no alpha where all labels are one", () => {
    expect(nominalAgreement([])).toBeUndefined();
    expect(nominalAgreement([["a"], [], ["b"]])).toBeUndefined();
    expect(nominalAgreement([["a", "a"], ["a", "a", "a"], ["b"]])).toEqual({ units: 2, raw: 1, alpha: undefined });
  });
});
