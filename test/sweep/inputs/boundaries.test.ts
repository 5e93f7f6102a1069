import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../src/errors.js";
import { parseBoundaries } from "../../../src/sweep/inputs/boundaries.js";
import { failureOf } from "../../support/failure.js";

const LAYERS = 30;

describe("a list of boundaries", () => {
  const cases: [text: string, boundaries: number[]][] = [
    ["0", [0]],
    ["30", [30]],
    ["full", [30]],
    ["0,10,20", [0, 10, 20]],
    ["20, 0 ,10,10", [0, 10, 20]],
    ["3-6", [3, 4, 5, 6]],
    ["5-5", [5]],
    ["0-30:5", [0, 5, 10, 15, 20, 25, 30]],
    ["0-10:4", [0, 4, 8]],
    ["28-full", [28, 29, 30]],
    ["0-full:15", [0, 15, 30]],
    ["0-10:5,full,7", [0, 5, 7, 10, 30]],
    ["007", [7]],
  ];
  it.each(cases)("%s", (text, boundaries) => {
    expect(parseBoundaries(text, LAYERS)).toEqual(boundaries);
  });

  it("all is every one, the base and the full adapter included", () => {
    expect(parseBoundaries(" all ", 3)).toEqual([0, 1, 2, 3]);
  });

  it("of any numbers comes back ascending and without repeats", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: LAYERS }), { minLength: 1 }), (values) => {
        expect(parseBoundaries(values.join(","), LAYERS)).toEqual([...new Set(values)].sort((a, b) => a - b));
      }),
    );
  });

  it.each(["31", "0-31", "full-31", "99999999999999999999", "0,5,31"])("%s lies out of range", async (text) => {
    const error = await failureOf(UsageError, () => parseBoundaries(text, LAYERS));
    expect(error.message).toContain(`boundary out of range: found ${JSON.stringify(text.split(",").at(-1))}`);
    expect(error.message).toContain("expected 0 (the base model) to 30 (the full adapter), the model has 30 layers");
    expect(error.message).toContain("`full` always stands for the last one.");
    expect(error.exitCode).toBe(2);
  });

  it.each(["", "x", "-1", "1.5", "6-3", "0-30:0", "full-3", "0-", "1,,2", "all,3", "Full", "0:5", "0-5-9", "1e1"])(
    "%j cannot be read",
    async (text) => {
      const error = await failureOf(UsageError, () => parseBoundaries(text, LAYERS));
      expect(error.message).toContain("cannot read the boundaries: found ");
      expect(error.message).toContain("a range with a step such as 0-30:5");
      expect(error.exitCode).toBe(2);
    },
  );
});
