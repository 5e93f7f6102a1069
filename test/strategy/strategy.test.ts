import { describe, expect, it } from "vitest";
import { maskKey } from "../../src/adapter/mask.js";
import { UsageError } from "../../src/errors.js";
import { isNested, parseStrategy } from "../../src/strategy/strategy.js";
import { greedyCounts, strategyMasks, type MaskSource } from "../../src/strategy/strategy-masks.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";

const LAYERS = 6;

function sourceOf(layers: readonly number[], more: Partial<MaskSource> = {}): MaskSource {
  const adapter = adapterWith(layers.flatMap((layer) => [moduleAt(layer), moduleAt(layer, "ffn_up")]));
  const boundaries = Array.from({ length: LAYERS + 1 }, (_, i) => i);
  return { adapter, layerCount: LAYERS, boundaries, order: [...layers].reverse(), fromFile: [], ...more };
}

const every = sourceOf([0, 1, 2, 3, 4, 5]);

function keptBy(text: string, source = every): Record<string, string> {
  const masks = strategyMasks(parseStrategy(text, LAYERS), source);
  return Object.fromEntries(masks.map(({ name, keeps }) => [name, keeps]));
}

describe("what a strategy tries", () => {
  it("suffix: upper layers", () => {
    expect(keptBy("suffix")).toEqual({
      base: "nothing",
      "layer 5": "layer 5",
      "layers 4-5": "layers 4-5",
      "layers 3-5": "layers 3-5",
      "layers 2-5": "layers 2-5",
      "layers 1-5": "layers 1-5",
      full: "layers 0-5",
    });
  });

  it("window:N: so many neighbours", () => {
    expect(Object.keys(keptBy("window:4"))).toEqual(["base", "layers 0-3", "layers 1-4", "layers 2-5", "full"]);
    expect(Object.keys(keptBy("window:5,6"))).toEqual(["base", "layers 0-4", "layers 1-5", "full"]);
  });

  it("leave-one-out and leave-one-in: each layer that the adapter covers", () => {
    const some = sourceOf([1, 3, 4]);
    expect(keptBy("leave-one-out", some)).toEqual({
      base: "nothing",
      "without 1": "layers 3-4",
      "without 3": "layers 1, 4",
      "without 4": "layers 1, 3",
      full: "layers 1, 3-4",
    });
    expect(Object.keys(keptBy("leave-one-in", some))).toEqual(["base", "only 1", "only 3", "only 4", "full"]);
  });

  it("top:N and greedy: the first of the ranked layers", () => {
    const ranked = sourceOf([0, 1, 2, 3, 4, 5], { order: [4, 0, 2, 5, 1, 3] });
    expect(keptBy("top:1-6:2:nll", ranked)).toEqual({
      base: "nothing",
      "nll 1": "layer 4",
      "nll 3": "layers 0, 2, 4",
      "nll 5": "layers 0-2, 4-5",
      full: "layers 0-5",
    });
    expect(Object.keys(keptBy("greedy:4", ranked))).toEqual(["base", "greedy 2", "full"]);
    expect(greedyCounts(6, 1)).toEqual([1, 2, 3, 4, 5]);
  });

  it("modules: attention or MLP alone on one side of K", () => {
    const some = sourceOf([0, 1, 2, 3, 4, 5], { boundaries: [2] });
    expect(keptBy("modules", some)).toEqual({
      base: "nothing",
      "attention-below 2": "attention of layers 0-1",
      "mlp-below 2": "MLP of layers 0-1",
      "attention-above 2": "layers 0-1; attention of layers 2-5",
      "mlp-above 2": "layers 0-1; MLP of layers 2-5",
      full: "layers 0-5",
    });
  });

  it("scale: the upper layers shrunk instead of dropped", () => {
    const some = sourceOf([0, 1, 2, 3, 4, 5], { boundaries: [0, 4, 6] });
    expect(keptBy("scale:0.5", some)).toEqual({
      base: "nothing",
      "0.5 from 0": "0.5 of layers 0-5",
      "0.5 from 4": "layers 0-3; 0.5 of layers 4-5",
      full: "layers 0-5",
    });
  });

  it.each(["suffix", "window:2", "leave-one-out", "leave-one-in", "top:all:cka", "greedy", "modules", "scale"])(
    "%s: by rising number, base first, full last, no name twice, nested ones each part of the next",
    (text) => {
      const strategy = parseStrategy(text, LAYERS);
      const masks = strategyMasks(strategy, every);
      const numbers = masks.map(({ number }) => number);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      expect(masks[0]?.mask.size).toBe(0);
      expect(masks.at(-1)?.mask.size).toBe(12);
      expect(new Set(masks.map(({ name }) => name)).size).toBe(masks.length);
      const isChain = masks.every(({ mask }, i) =>
        [...(masks[i - 1]?.mask.keys() ?? [])].every((name) => mask.has(name)),
      );
      expect(isChain || !isNested(strategy)).toBe(true);
      expect(new Set(masks.map(({ mask }) => maskKey(mask))).size).toBeGreaterThan(3);
    },
  );
});

describe("a strategy that cannot be read", () => {
  it.each([
    ["prefx", "unknown strategy", "Did you mean prefix?"],
    ["window", "cannot read the strategy", "from 1 to 6"],
    ["window:7", "cannot read the strategy", "from 1 to 6"],
    ["top:3", "cannot read the strategy", "cka-prompt-end, norm, "],
    ["top:3:size", "cannot read the strategy", "cka-prompt-end, norm, "],
    ["greedy:0", "cannot read the strategy", "from 1 to 6"],
    ["scale:1.5", "cannot read the strategy", "between 0 and 1"],
    ["modules:heads", "cannot read the strategy", "attention-above"],
    ["masks", "cannot read the strategy", "masks:FILE"],
    ["suffix:3", "cannot read the strategy", "nothing behind a colon"],
  ])("%s", (text, what, expected) => {
    expect(() => parseStrategy(text, LAYERS)).toThrow(UsageError);
    expect(() => parseStrategy(text, LAYERS)).toThrow(what);
    expect(() => parseStrategy(text, LAYERS)).toThrow(expected);
  });
});
