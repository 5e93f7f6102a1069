import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { inspectAdapter } from "../../src/adapter/inspect.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();

describe("inspecting a GGUF adapter", () => {
  it("names updates of experts, the embedding's norm included", async () => {
    const options = { architecture: "llama", layers: 2, experts: 3 } as const;
    const model = await readBaseModel(await writeTinyModel(folder.path, "base.gguf", options));
    const path = await writeTinyAdapter(folder.path, "lora.gguf", { ...options, rank: 2, embeddingRank: 5 });
    const { modules, findings } = await inspectAdapter(path, model);
    expect(findings.filter(({ severity }) => severity !== "note")).toEqual([]);
    expect(findings.find(({ code }) => code === "experts")?.message).toBe(
      "6 of 17 modules have an update for each of 3 experts: a boundary keeps or drops them together.",
    );
    expect(modules.map(({ module, rank }) => `${module} ${rank}`)).toContain("ffn_down_exps 2");
    // A of the embedding is random with deviation 1 and B with 1 / sqrt(rank): each number of 259 x 32 has a variance of about 1.
    const embedding = modules.find(({ module }) => module === "token_embd");
    expect((embedding?.norm ?? 0) / ((8 / 5) * Math.sqrt(259 * 32))).toBeGreaterThan(0.8);
    expect((embedding?.norm ?? 0) / ((8 / 5) * Math.sqrt(259 * 32))).toBeLessThan(1.2);
  });
});
