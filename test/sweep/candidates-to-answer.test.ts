import { describe, expect, it } from "vitest";
import { answeringCandidates, triedCandidates } from "../../src/sweep/candidates-to-answer.js";
import { inputsWith, LAYERS, planWith } from "../support/planned-sweep.js";

const asked = { ...inputsWith(), boundaries: [1, 3] };
const inSample = { ...inputsWith({ holdout: 0 }), boundaries: [1, 3] };

describe("the candidates that answer", () => {
  it("are those asked for, and the full adapter where the others are measured by it", () => {
    const plan = planWith(asked);
    const tried = (...[config, floors = []]: [Parameters<typeof triedCandidates>[0], unknown[]?]): number[] =>
      triedCandidates(config, floors, plan).map(({ number: boundary }) => boundary);
    expect(tried({ rule: "best", folds: undefined })).toEqual([1, 3]);
    expect(tried({ rule: "no-worse", folds: undefined })).toEqual([1, 3, LAYERS]);
    expect(tried({ rule: "best", folds: undefined }, ["f1"])).toEqual([1, 3, LAYERS]);
    expect(tried({ rule: "best", folds: 3 })).toEqual([1, 3, LAYERS]);
    expect(answeringCandidates(plan, triedCandidates({ rule: "no-worse", folds: undefined }, [], plan))).toEqual({
      selection: 3,
      holdout: 3,
    });
  });

  it("without a holdout answer all on the selection, base and full too", () => {
    const plan = planWith(inSample);
    const tried = triedCandidates({ rule: "best", folds: undefined }, [], plan);
    expect(tried.map(({ number: boundary }) => boundary)).toEqual([1, 3, LAYERS]);
    expect(answeringCandidates(plan, tried)).toEqual({ selection: 4, holdout: 0 });
  });
});
