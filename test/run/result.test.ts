import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RESULT_SCHEMA_VERSION, sweepResultSchema } from "../../src/run/result.js";
import { stableJson } from "../../src/files/stable-json.js";
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
    expect(RESULT_SCHEMA_VERSION).toBe(2);
    expect(sweepResultSchema.parse(JSON.parse(stableJson(sweepResult())))).toEqual(sweepResult());
  });

  it("takes what only some sweeps have: folds, a correction, a margin, floors and groups", () => {
    const result = sweepResult();
    const [first] = result.candidates;
    const step = { boundary: 2, score: 45, against: 4, difference: 1, low: -1, limit: -2, passed: true };
    const other = {
      ...result,
      candidates: [{ ...first, selection: { ...first?.selection, groups: { bridge: { em: { value: 50, n: 4 } } } } }],
      choice: {
        ...result.choice,
        rule: "no-worse",
        margin: 2,
        floors: [{ metric: "em", points: -1 }],
        excluded: [{ boundary: 0, metric: "em", difference: -20, floor: -1 }],
        steps: [step],
      },
      confirmation: {
        ...result.confirmation,
        part: "folds",
        foldBoundaries: [2, 4],
        corrected: { difference: -1, optimism: 0.5, method: "bootstrap" },
      },
    };
    expect(sweepResultSchema.parse(JSON.parse(stableJson(other)))).toEqual(other);
  });

  it.each([
    ["an older version", { schemaVersion: RESULT_SCHEMA_VERSION - 1 }],
    ["a newer version", { schemaVersion: RESULT_SCHEMA_VERSION + 1 }],
    ["a choice without a rule", { choice: { ...sweepResult().choice, rule: "" } }],
    ["a choice without reasons", { choice: { ...sweepResult().choice, reasons: undefined } }],
    ["a confirmation on another part", { confirmation: { ...sweepResult().confirmation, part: "all" } }],
    ["a field that nobody knows", { extra: 1 }],
    ["a verdict of another kind", { verdict: { kind: "maybe", sentences: [] } }],
    ["a missing choice", { choice: undefined }],
  ])("refuses %s", (_what, wrong) => {
    expect(sweepResultSchema.safeParse({ ...sweepResult(), ...wrong }).success).toBe(false);
  });
});
