import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundaryCandidates, boundaryMask, maskKey } from "../../src/adapter/mask.js";
import { adapterWith, moduleAt } from "./modules.js";

const LAYERS = 4;
const everywhere = (["embedding", 0, 1, 2, 3, "output"] as const).map((place) => moduleAt(place));

describe("the mask of boundary K", () => {
  it("keeps layers below K; the embedding goes with layer 0, the output head with layer L-1", () => {
    const kept = Array.from({ length: LAYERS + 1 }, (_, k) => [...boundaryMask(everywhere, LAYERS, k).keys()]);
    const [embedding, ...blocks] = everywhere.slice(0, 5).map(({ name }) => name);
    expect(kept).toEqual([
      [],
      [embedding, blocks[0]],
      [embedding, blocks[0], blocks[1]],
      [embedding, blocks[0], blocks[1], blocks[2]],
      everywhere.map(({ name }) => name),
    ]);
  });

  it("keeps at scale 1", () => {
    expect([...boundaryMask(everywhere, LAYERS, LAYERS).values()]).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("keeps embedding and head of a model with one layer together", () => {
    const ends = [moduleAt("embedding"), moduleAt("output")];
    expect(boundaryMask(ends, 1, 0).size).toBe(0);
    expect(boundaryMask(ends, 1, 1).size).toBe(2);
  });

  it("grows with K, whatever the adapter covers", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 9 })), fc.nat({ max: 10 }), fc.nat({ max: 10 }), (layers, k, other) => {
        const modules = layers.map((layer) => moduleAt(layer));
        const [small, large] = [Math.min(k, other), Math.max(k, other)];
        const inner = boundaryMask(modules, 10, small);
        const outer = boundaryMask(modules, 10, large);
        expect([...inner.keys()].every((name) => outer.has(name))).toBe(true);
        expect(outer.size).toBe(layers.filter((layer) => layer < large).length);
      }),
    );
  });
});

describe("the candidates of an adapter", () => {
  it("are one for each boundary when every layer has tensors", () => {
    const candidates = boundaryCandidates(adapterWith(everywhere), LAYERS, [0, 1, 2, 3, 4]);
    expect(
      candidates.map(({ number: boundary, boundaries, keptModules, bytes }) => [
        boundary,
        boundaries,
        keptModules,
        bytes,
      ]),
    ).toEqual([
      [0, [0], 0, 0],
      [1, [1], 2, 128],
      [2, [2], 3, 192],
      [3, [3], 4, 256],
      [4, [4], 6, 384],
    ]);
  });

  it("join the boundaries that keep the same tensors, the smallest standing for all", () => {
    const partial = adapterWith([moduleAt(2), moduleAt(2, "ffn_up"), moduleAt(5)]);
    const candidates = boundaryCandidates(partial, 8, [8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
    expect(
      candidates.map(({ number: boundary, boundaries, keptModules }) => [boundary, boundaries, keptModules]),
    ).toEqual([
      [0, [0, 1, 2], 0],
      [3, [3, 4, 5], 2],
      [6, [6, 7, 8], 3],
    ]);
  });

  it("only hold the boundaries that were asked for", () => {
    const candidates = boundaryCandidates(adapterWith([moduleAt(0), moduleAt(1)]), 8, [1, 5, 3]);
    expect(candidates.map(({ boundaries }) => boundaries)).toEqual([[1], [3, 5]]);
  });
});

describe("the key of a mask", () => {
  it("does not depend on the order of its modules, but on names and scales", () => {
    const forwards = new Map([
      ["a", 1],
      ["b", 0.5],
    ]);
    const backwards = new Map([...forwards].reverse());
    expect(maskKey(forwards)).toBe(maskKey(backwards));
    expect(maskKey(forwards)).not.toBe(maskKey(new Map([...forwards, ["b", 1]])));
    expect(maskKey(forwards)).not.toBe(maskKey(new Map([["a", 1]])));
    expect(maskKey(new Map())).toBe("");
  });
});
