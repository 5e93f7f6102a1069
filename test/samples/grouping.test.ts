import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { groupOf, groupSamples, lengthBucket } from "../../src/samples/grouping.js";
import type { Sample } from "../../src/samples/sample.js";

fc.configureGlobal({ seed: 7 });

const sample = (variables: Record<string, unknown>, group?: Record<string, string>): Sample => ({
  id: "s",
  variables,
  references: ["r"],
  ...(group === undefined ? {} : { group }),
});

describe("lengthBucket", () => {
  it.each([
    [0, 50, "0-49"],
    [49, 50, "0-49"],
    [50, 50, "50-99"],
    [100, 50, "100-149"],
    [7, 1, "7"],
    [7, 5, "5-9"],
  ])("%d in buckets of %d is in %s", (length, size, bucket) => {
    expect(lengthBucket(length, size)).toBe(bucket);
  });

  it("gives a bucket of the size that the length lies in", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: 2, max: 500 }), (length, size) => {
        const [first = -1, last = -1] = lengthBucket(length, size).split("-").map(Number);
        expect(last - first + 1).toBe(size);
        expect(first % size).toBe(0);
        expect(first <= length && length <= last).toBe(true);
      }),
    );
  });
});

describe("groupOf", () => {
  it("gives the label of the group before the variable, and scalars as texts", () => {
    expect(groupOf(sample({ type: "x" }, { type: "bridge" }), "type")).toBe("bridge");
    expect(groupOf(sample({ level: 3 }), "level")).toBe("3");
    expect(groupOf(sample({ isLong: false }), "isLong")).toBe("false");
    expect(groupOf(sample({ level: null }), "level")).toBeUndefined();
    expect(groupOf(sample({}), "toString")).toBeUndefined();
  });

  it("buckets lengths in characters and words", () => {
    const text = sample({ question: "嗯 ".repeat(30), emoji: "🦆".repeat(50), "a:b": "x".repeat(60) });
    expect(groupOf(text, "length:question")).toBe("50-99");
    expect(groupOf(text, "words:question")).toBe("0-49");
    expect(groupOf(text, "words:question:10")).toBe("30-39");
    expect(groupOf(text, "length:emoji")).toBe("50-99");
    expect(groupOf(text, "length:a:b")).toBe("50-99");
    expect(groupOf(text, "length:a:b:100")).toBe("0-99");
    expect(groupOf(text, "length:none")).toBeUndefined();
    expect(groupOf(sample({ "length:x": "own" }), "length:x")).toBe("own");
    expect(groupOf(sample({ question: "" }), "words:question")).toBe("0-49");
  });

  it("refuses lists and objects, and sizes that cannot be", () => {
    expect(() => groupOf(sample({ tags: ["a"] }), "tags")).toThrow(UsageError);
    expect(() => groupOf(sample({ tags: {} }), "length:tags")).toThrow(/cannot group by "length:tags"/);
    for (const size of ["0", "-5", "x", "", "1.5"]) {
      expect(() => groupOf(sample({ q: "a" }), `length:q:${size}`)).toThrow(/size of the buckets/);
    }
  });
});

describe("groupSamples", () => {
  it("puts every sample into one group, groups in natural order, those without a value last", () => {
    const samples = [sample({ n: 10 }), sample({ n: "9" }), sample({}), sample({ n: 10 }), sample({ n: "a" })];
    expect([...groupSamples(samples, "n")]).toEqual([
      ["9", [1]],
      ["10", [0, 3]],
      ["a", [4]],
      ["(none)", [2]],
    ]);
    const texts = [150, 20, 60].map((length) => sample({ q: "x".repeat(length) }));
    expect([...groupSamples(texts, "length:q").keys()]).toEqual(["0-49", "50-99", "150-199"]);
  });

  it("partitions any samples", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.string(), { nil: undefined }), { minLength: 1 }), (values) => {
        fc.pre(values.some((value) => value !== undefined));
        const samples = values.map((value) => sample(value === undefined ? {} : { v: value }));
        const groups = groupSamples(samples, "v");
        expect([...groups.values()].flat().sort((a, b) => a - b)).toEqual([...samples.keys()]);
      }),
    );
  });

  it("names the nearest field for one that no sample has", () => {
    const samples = [sample({ question: "a" }, { type: "b" })];
    expect(() => groupSamples(samples, "tpye")).toThrow(
      /found "tpye", expected one of type, question\. Did you mean type\?/,
    );
    expect(() => groupSamples(samples, "length:qestion")).toThrow(/Did you mean length:question\?/);
    expect(() => groupSamples([sample({})], "x")).toThrow(/Leave the grouping out/);
  });
});
