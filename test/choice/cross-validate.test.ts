import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundaryCandidates } from "../../src/adapter/mask.js";
import { BoundaryError, UsageError } from "../../src/errors.js";
import type { ChoiceInput } from "../../src/choice/choose.js";
import { assignFolds, crossValidate } from "../../src/choice/cross-validate.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";
import { scoredAt } from "../support/scored.js";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** A sweep over all K of four layers; f1 is half of em. */
function inputOf(em: readonly (readonly number[])[], more: Partial<ChoiceInput> = {}): ChoiceInput {
  const adapter = adapterWith(range(em.length - 1).map((layer) => moduleAt(layer)));
  const scored = boundaryCandidates(adapter, em.length - 1, range(em.length)).map((candidate, k) => {
    return { ...scoredAt(0, { em: em[k]!, f1: em[k]!.map((value) => value / 2) }), candidate };
  });
  const [full, layerCount] = [scored.at(-1)!, em.length - 1];
  return { rule: "best", scored, full, metric: "em", layerCount, margin: 2, floors: [], ...more };
}

describe("assignFolds", () => {
  it("cuts into folds as even as can be, by the seed", () => {
    const folds = assignFolds(23, { folds: 5, seed: 1 });
    const sizes = range(5).map((fold) => folds.filter((one) => one === fold).length);
    expect(sizes.sort()).toEqual([4, 4, 5, 5, 5]);
    expect(assignFolds(23, { folds: 5, seed: 1 })).toEqual(folds);
    expect(assignFolds(23, { folds: 5, seed: 2 })).not.toEqual(folds);
  });

  it("keeps clusters together and leaves no fold empty", () => {
    const keys = fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 6, maxLength: 40 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 2, max: 6 }), fc.nat(1000), (clusters, folds, seed) => {
        fc.pre(new Set(clusters).size >= folds);
        const foldOf = assignFolds(clusters.length, { folds, seed, clusters });
        expect(new Set(foldOf).size).toBe(folds);
        for (const key of clusters) {
          expect(new Set(foldOf.filter((_, sample) => clusters[sample] === key)).size).toBe(1);
        }
      }),
    );
  });

  it("refuses folds that samples or clusters cannot fill, and keys of other samples", () => {
    for (const folds of [1, 0, 2.5, 11, Number.NaN])
      expect(() => assignFolds(10, { folds, seed: 1 })).toThrow(UsageError);
    const clusters = ["a", "a", "b", "b"];
    expect(() => assignFolds(4, { folds: 3, seed: 1, clusters })).toThrow(/from 2 to 2/);
    expect(() => assignFolds(5, { folds: 2, seed: 1, clusters })).toThrow(BoundaryError);
  });
});

describe("crossValidate", () => {
  it("judges every sample by what the others chose", () => {
    // Right in every sample but one of its own: without that sample each is perfect, and K=0 the first of them.
    const samples = range(5);
    const em = samples.map((k) => samples.map((i) => (i === k ? 0 : 1)));
    const { folds, metrics, final } = crossValidate(inputOf(em), { folds: 5, seed: 1 });
    // The fold with sample i leaves candidate i perfect on all others, and it fails there: nothing is right out of fold.
    expect(metrics[0]).toMatchObject({ metric: "em", chosen: 0, full: 80 });
    expect(metrics[0]!.chosenMinusFull).toMatchObject({ estimate: -80, flips: { better: 0, worse: 4, same: 1 } });
    expect(folds.map(({ boundary }) => boundary).sort()).toEqual(samples);
    expect(folds.every((fold) => fold.samples === 1)).toBe(true);
    expect(final.chosen.candidate.number).toBe(0);
    expect(final.chosen.scores.get("em")!.value).toBe(80);
  });

  it("of a clear winner is its own score, in every metric", () => {
    const em = [0, 1, 2].map((k) => range(60).map((i) => (k === 1 ? Number(i < 50) : Number(i < 20))));
    const { folds, metrics, final, method } = crossValidate(inputOf(em), { folds: 6, seed: 3 });
    expect(folds).toEqual(range(6).map(() => ({ boundary: 1, samples: 10 })));
    expect(metrics.map(({ metric }) => metric)).toEqual(["em", "f1"]);
    expect(metrics[0]!.chosen).toBeCloseTo(83.33, 2);
    expect(metrics[1]!.chosen).toBeCloseTo(41.67, 2);
    expect(metrics[0]!.chosenMinusFull).toMatchObject({
      method: "Tango score interval",
      flips: { better: 30, worse: 0 },
    });
    expect(final.rule).toBe("best");
    expect(method).toContain("6 folds");
  });

  it("applies any rule, with its floors, and keeps the full adapter apart", () => {
    const full = range(400).map((i) => Number(i < 200));
    const input = inputOf([full.map(() => 0), full, full], { rule: "no-worse" });
    const { folds, metrics } = crossValidate(input, { folds: 4, seed: 1 });
    expect(folds.map(({ boundary }) => boundary)).toEqual([1, 1, 1, 1]);
    expect(metrics[0]!.chosenMinusFull.estimate).toBe(0);
    const floored = crossValidate(
      { ...input, rule: "paper", floors: [{ metric: "f1", points: 1 }] },
      { folds: 4, seed: 1 },
    );
    expect(floored.folds.map(({ boundary }) => boundary)).toEqual([2, 2, 2, 2]);
  });

  it("is the same for a seed", () => {
    const em = range(6).map((k) => range(40).map((i) => Number((i * 7 + k * 11) % 13 < 6)));
    const input = inputOf(em);
    expect(crossValidate(input, { folds: 4, seed: 9 })).toEqual(crossValidate(input, { folds: 4, seed: 9 }));
  });
});
