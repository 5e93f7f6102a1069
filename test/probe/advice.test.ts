import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseLayers, type LayerWorth } from "../../src/probe/advice.js";
import { layersWanted, objectives } from "../../src/probe/advise-config.js";
import { trainingSnippets } from "../../src/probe/training-snippets.js";

const worthsOf = (worths: readonly number[], time = 1): LayerWorth[] =>
  worths.map((worth, layer) => ({ layer, worth, time, words: `worth ${worth}` }));
const chosen = (worths: readonly LayerWorth[], ...how: [(typeof objectives)[number], number]): number[] =>
  chooseLayers(worths, ...how).layers.map(({ layer }) => layer);

describe("the layers of the next training run", () => {
  const worths = worthsOf([5, 1, 2, 9, 8, 4]);

  it("are those of the highest worth, for quality", () => {
    const choice = chooseLayers(worths, "quality", 3);
    expect(choice.layers).toEqual([
      { layer: 0, rank: 3, reason: "worth 5, rank 3 of 6" },
      { layer: 3, rank: 1, reason: "worth 9, rank 1 of 6" },
      { layer: 4, rank: 2, reason: "worth 8, rank 2 of 6" },
    ]);
    expect([choice.share, choice.bestShare, choice.stepShare]).toEqual([22 / 29, 22 / 29, 1]);
  });

  it("lie high where that makes a step cheaper than it makes the choice poorer, for cost", () => {
    // From layer 3 up a step takes 6 forward and 3 back: 21 / 9. With layer 0 it takes 12: 22 / 12.
    const choice = chooseLayers(worths, "cost", 3);
    expect(choice.layers.map(({ layer }) => layer)).toEqual([3, 4, 5]);
    expect(choice.stepShare).toBe(9 / 12);
    expect(choice.layers[0]?.reason).toContain("the lowest that training goes back to");
    expect(chosen(worthsOf([90, 1, 2, 9, 8, 4]), "cost", 3)).toEqual([0, 3, 4]);
  });

  it("are the bottom ones, for inference", () => {
    expect(chosen(worths, "inference", 2)).toEqual([0, 1]);
    expect(chooseLayers(worths, "inference", 2).share).toBe(6 / 29);
  });

  it("take the lower of equal ones", () => {
    expect(chosen(worthsOf([1, 1, 1, 1]), "quality", 2)).toEqual([0, 1]);
  });

  it("are as many as asked for, ascending; for cost no set has more worth for its time", () => {
    const worth = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.record({ worth, time: worth }), { minLength: 1, maxLength: 7 }),
        fc.constantFrom(...objectives),
        fc.nat(),
        (rows, objective, seed) => {
          const layers = rows.map((row, layer) => ({ ...row, layer, words: "" }));
          const count = 1 + (seed % rows.length);
          const found = chosen(layers, objective, count);
          expect(found.length).toBe(count);
          expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
          if (objective !== "cost") return;
          const value = (set: readonly number[]): number => {
            const time = layers.reduce((sum, one) => sum + one.time * (one.layer >= Math.min(...set) ? 2 : 1), 0);
            return set.reduce((sum, layer) => sum + (layers[layer]?.worth ?? 0), 0) / time;
          };
          for (let bits = 0; bits < 2 ** rows.length; bits++) {
            const set = layers.flatMap(({ layer }) => ((bits >> layer) & 1 ? [layer] : []));
            if (set.length === count) expect(value(found)).toBeGreaterThanOrEqual(value(set) - 1e-9);
          }
        },
      ),
    );
  });
});

describe("how many layers", () => {
  it.each([
    [{}, 15],
    [{ layersShare: "50%" }, 15],
    [{ layersShare: 0.1 }, 3],
    [{ layersShare: "1%" }, 1],
    [{ layersShare: "1" }, 30],
    [{ top: 7 }, 7],
  ])("%j of 30 layers", (asked, count) => {
    expect(layersWanted({ top: undefined, layersShare: undefined, ...asked }, 30)).toBe(count);
  });

  it.each([
    [{ layersShare: "50" }, /--layers-share cannot be read.*"50"/s],
    [{ layersShare: "" }, /cannot be read/],
    [{ layersShare: "0%" }, /cannot be read/],
    [{ layersShare: "half" }, /cannot be read/],
    [{ top: 31 }, /more than the model has.*31.*at most 30/s],
    [{ top: 3, layersShare: "10%" }, /exclude each other/],
  ])("refuses %j", (asked, message) => {
    expect(() => layersWanted({ top: undefined, layersShare: undefined, ...asked }, 30)).toThrow(message);
  });
});

describe("snippets for trainers", () => {
  const target = { architecture: "llama", layers: [1, 12], modules: ["attn_q", "ffn_down"], rank: 8, alpha: 16 };

  it("name layers and modules as each of them takes them", () => {
    const { peft, llamaFactory, unsloth } = trainingSnippets(target);
    const shared =
      '    r=8,\n    lora_alpha=16,\n    target_modules=["q_proj", "down_proj"],\n    layers_to_transform=[1, 12],\n';
    expect(peft).toBe(`from peft import LoraConfig\n\nconfig = LoraConfig(\n${shared}    task_type="CAUSAL_LM",\n)\n`);
    expect(unsloth).toContain(`FastLanguageModel.get_peft_model(\n    model,\n${shared})`);
    expect(llamaFactory).toBe(
      "finetuning_type: lora\nlora_rank: 8\nlora_alpha: 16\nlora_target: >-\n" +
        "  layers.1.self_attn.q_proj,layers.1.mlp.down_proj,\n  layers.12.self_attn.q_proj,layers.12.mlp.down_proj\n",
    );
  });

  it("take all linear modules where none are named, and leave out what they do not know", () => {
    expect(trainingSnippets({ ...target, modules: undefined }).peft).toContain('"q_proj", "k_proj", "v_proj"');
    const unknown = trainingSnippets({ ...target, architecture: "mystery" });
    expect(unknown).not.toHaveProperty("llamaFactory");
    expect(unknown.peft).toContain('target_modules=["..."]');
    expect(unknown.unsloth).toContain("layers_to_transform=[1, 12]");
  });
});
