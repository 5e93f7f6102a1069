import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sweepResultSchema } from "../../src/sweep/result.js";
import { stableJson } from "../../src/formats/stable-json.js";
import { sweepResult } from "../support/sweep-result.js";

/** The same value with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

describe("stable JSON", () => {
  it("sorts the keys of every object, and leaves lists in their order", () => {
    const value = { b: [{ z: 1, a: 2 }, 3, 1], a: { d: null, c: { y: "", x: false } } };
    expect(stableJson(value)).toBe(
      `${JSON.stringify({ a: { c: { x: false, y: "" }, d: null }, b: [{ a: 2, z: 1 }, 3, 1] }, null, 2)}\n`,
    );
  });

  it("is the same text for equal values, and reads back as the value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = stableJson(value);
        expect(stableJson(reversed(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("ends in one line break and leaves out what is undefined", () => {
    expect(stableJson({ b: undefined, a: 1 })).toBe('{\n  "a": 1\n}\n');
  });
});

describe("the schema of result.json", () => {
  it("takes a result back from its text", () => {
    expect(sweepResultSchema.parse(JSON.parse(stableJson(sweepResult())))).toEqual(sweepResult());
  });

  it.each([
    ["another version", { schemaVersion: 2 }],
    ["a field that nobody knows", { extra: 1 }],
    ["a verdict of another kind", { verdict: { kind: "maybe", sentences: [] } }],
    ["a missing choice", { choice: undefined }],
  ])("refuses %s", (_what, wrong) => {
    expect(sweepResultSchema.safeParse({ ...sweepResult(), ...wrong }).success).toBe(false);
  });
});
