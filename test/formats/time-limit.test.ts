import { describe, expect, it } from "vitest";
import { TimeLimitError, withTimeLimit } from "../../src/formats/time-limit.js";

describe("work with a time limit", () => {
  it("gives what it gives, and what it throws", () => {
    expect(withTimeLimit(() => [1, 2])).toEqual([1, 2]);
    expect(withTimeLimit((): unknown => undefined)).toBeUndefined();
    expect(() =>
      withTimeLimit(() => {
        throw new RangeError("own");
      }),
    ).toThrow(new RangeError("own"));
    expect(withTimeLimit(() => withTimeLimit(() => 1) + withTimeLimit(() => 2))).toBe(3);
  });

  it.each<[string, () => unknown]>([
    ["a loop", () => Array.from({ length: 1e9 }, () => "")],
    ["an expression that backtracks", () => /^(?:[a-z_.]+)+!$/.test("model.layers.self_attn.q_proj.of.a.model")],
    ["one with a look-ahead", () => /^(?!(?:(a|a)+)+!)x/.test("a".repeat(60))],
    [
      "a replacement",
      () =>
        "a"
          .repeat(60)
          .replace(/(?:a|aa)+$|(?:(?:a+)+)!/g, "b")
          .replace(/(a+)+!/g, ""),
    ],
    ["a limit within a longer one", () => withTimeLimit(() => /^(a+)+!$/.test("a".repeat(60)), 60)],
  ])("ends %s", (_, work) => {
    const started = performance.now();
    const strings = "a".repeat(60);
    expect(() =>
      withTimeLimit(() => {
        work();
        return /(?:a+)+!/.test(strings);
      }, 0.1),
    ).toThrow(TimeLimitError);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
