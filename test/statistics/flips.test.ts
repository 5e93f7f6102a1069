import { describe, expect, it } from "vitest";
import { BoundaryError } from "../../src/errors.js";
import { flips } from "../../src/statistics/flips.js";

describe("flips", () => {
  it("counts samples by how the first side compares", () => {
    expect(flips([1, 0, 0.5, 1], [0, 1, 0.5, 0.9])).toEqual({ better: 2, worse: 1, same: 1 });
    expect(flips([], [])).toEqual({ better: 0, worse: 0, same: 0 });
    expect(() => flips([1], [])).toThrow(BoundaryError);
  });
});
