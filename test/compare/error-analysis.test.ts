import { describe, expect, it } from "vitest";
import { analyseErrors } from "../../src/compare/error-analysis.js";

describe("analyseErrors", () => {
  it("looks at the samples that fell, and only at those", () => {
    const analysis = analyseErrors(
      { system: [0.5, 0.2, 1, 0, 0.4], reference: [1, 0.8, 0.5, 0.7, 0.4] },
      {
        system: ["in Paris, France", "red", "right", "", "same"],
        reference: ["Paris", "the red house", "worse", "blue", "same"],
      },
      [["Paris"], ["red house"], ["right"], ["blue"], ["x"]],
    );
    expect(analysis).toEqual({ fell: 3, containsOther: 1, containedInOther: 1, oneContainsOther: 2, bothRight: 1 });
  });
  it("has nothing to say where nothing fell", () => {
    const analysis = analyseErrors({ system: [1], reference: [1] }, { system: ["a"], reference: ["a"] }, [["a"]]);
    expect(Object.values(analysis)).toEqual([0, 0, 0, 0, 0]);
  });
});
