import { describe, expect, it } from "vitest";
import type { Place } from "../../src/adapter/adapter.js";
import { selectModules, type KeepRules } from "../../src/adapter/select-modules.js";
import { UsageError } from "../../src/errors.js";

const L = 6;
interface Part {
  readonly layer: number | undefined;
  readonly module: string;
  readonly place: Place;
}
const inBlocks = Array.from({ length: L }, (_, layer) =>
  ["q_proj", "down_proj"].map((module): Part => ({ layer, module, place: "block" })),
).flat();
const modules: readonly Part[] = [
  { layer: undefined, module: "embed_tokens", place: "embedding" },
  ...inBlocks,
  { layer: undefined, module: "lm_head", place: "output" },
];

function kept(rules: KeepRules): string[] {
  return selectModules(modules, L, rules).map(({ layer, module }) => `${layer ?? ""}${module}`);
}

describe("selecting modules", () => {
  it("--keep takes the layers below K, the embedding with layer 0 and the head with the last", () => {
    expect(kept({ keep: 1 })).toEqual(["embed_tokens", "0q_proj", "0down_proj"]);
    expect(kept({ keep: 0 })).toEqual([]);
    expect(kept({ keep: L })).toHaveLength(modules.length);
  });

  it("ranges are inclusive and -1 is the last layer", () => {
    expect(kept({ layers: "1-2,-1", modules: "q_proj" })).toEqual(["1q_proj", "2q_proj", "5q_proj"]);
    expect(kept({ layers: "-2--1", modules: "down_proj" })).toEqual(["4down_proj", "5down_proj"]);
    expect(kept({ drop: "0,2-5" })).toEqual(["1q_proj", "1down_proj"]);
  });

  it("rules intersect", () => {
    expect(kept({ keep: 3, layers: "1-5", drop: "2", modules: "q_proj" })).toEqual(["1q_proj"]);
  });

  it("modules go by either name", () => {
    expect(kept({ layers: "3", modules: "attn_q" })).toEqual(["3q_proj"]);
    expect(kept({ layers: "3", modules: "attn_q,ffn_down" })).toEqual(["3q_proj", "3down_proj"]);
  });

  it.each<[KeepRules, RegExp]>([
    [{ keep: 7 }, /boundary out of range: found --keep 7, expected 0 to 6/],
    [{ layers: "0-6" }, /layers of --layers: found "0-6", expected layers from 0 to 5/],
    [{ layers: "3-1" }, /"3-1"/],
    [{ drop: "-7" }, /layers of --drop: found "-7"/],
    [{ layers: "" }, /layers of --layers: found ""/],
    [{ modules: "q_porj" }, /no such module: found "q_porj".*Did you mean q_proj\?/],
    [{ modules: "gate_proj" }, /no such module/],
  ])("%j is refused", (rules, message) => {
    expect(() => kept(rules)).toThrow(UsageError);
    expect(() => kept(rules)).toThrow(message);
  });
});
