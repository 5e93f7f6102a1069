import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { jsonErrorPosition } from "../../src/samples/json-position.js";

fc.configureGlobal({ seed: 3 });

describe("jsonErrorPosition", () => {
  it.each([
    ['{"a": 1', 7],
    ['{"a" 1}', 5],
    ['{"a": 1,}', 8],
    ["[1, 2", 5],
    ["[1 2]", 3],
    ["[1,]", 3],
    ['{"a": tru}', 6],
    ['"a\nb"', 2],
    ['"a\\x"', 2],
    ["[01]", 2],
    ["{} {}", 3],
    ["[1}", 2],
    ["", 0],
    ["'a'", 0],
  ])("%j goes wrong at offset %d", (text, offset) => {
    expect(() => JSON.parse(text) as unknown).toThrow();
    expect(jsonErrorPosition(text).offset).toBe(offset);
  });

  it("counts lines and columns from 1", () => {
    expect(jsonErrorPosition('{\n  "a": x\n}')).toEqual({ offset: 9, line: 2, column: 8 });
  });

  it("finds nothing wrong before the end of valid JSON, and the end of what is cut off", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, at) => {
        expect(jsonErrorPosition(text).offset).toBe(text.length);
        const cut = `[${text}`.slice(0, 1 + (at % (text.length + 1)));
        // A word or number that is cut in two is reported where it begins.
        expect(jsonErrorPosition(cut).offset).toBeGreaterThanOrEqual(cut.length - "false".length);
      }),
    );
  });

  it("bears deep nesting and long strings", () => {
    expect(jsonErrorPosition("[".repeat(100_000)).offset).toBe(100_000);
    expect(jsonErrorPosition(`"${"x".repeat(5_000_000)}`).offset).toBe(5_000_001);
  });
});
