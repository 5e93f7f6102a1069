import { describe, expect, it } from "vitest";
import { at, defined } from "../src/assert.js";

describe("at", () => {
  it("gives the item, falsy ones too", () => {
    expect(at([0, "", 2], 1)).toBe("");
    expect(at(new Float32Array([0, 1]), 0)).toBe(0);
  });

  it.each([[3], [-1], [0.5], [Number.NaN]])("throws for index %s of three", (index) => {
    expect(() => at([1, 2, 3], index)).toThrow(`no item at index ${index} of 3`);
  });
});

describe("defined", () => {
  it("gives the value, falsy ones too", () => {
    expect(defined(0, "zero")).toBe(0);
    expect(defined("", "nothing")).toBe("");
  });

  it.each([[undefined], [null]])("throws for %s and names what is missing", (value) => {
    expect(() => defined(value, "logits")).toThrow("missing: logits");
  });
});
