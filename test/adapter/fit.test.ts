import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readBaseModel, type BaseModel } from "../../src/adapter/base-model.js";
import { assertFits } from "../../src/adapter/fit.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { AdapterError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { float32, text, tinyArchitectures, writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";
import { adapterOf, pair, type Overrides, type Shapes } from "./files.js";

const folder = temporaryFolder();
const q = "blk.1.attn_q.weight";
/** A = [rank, vocabulary] and B = [rank, d]: llama.cpp looks up rows of A. */
const embedding = { "token_embd.weight.lora_a": [2, 259], "token_embd.weight.lora_b": [2, 32] } satisfies Shapes;
let untied: BaseModel;
let tied: BaseModel;

beforeAll(async () => {
  untied = await readBaseModel(await writeTinyModel(folder.path, "llama.gguf", { architecture: "llama" }));
  const gemma = await readBaseModel(await writeTinyModel(folder.path, "gemma.gguf", { architecture: "gemma" }));
  tied = { ...gemma, architecture: "llama" };
});

async function refusal(model: BaseModel, shapes: Shapes, overrides: Overrides = {}): Promise<AdapterError> {
  const adapter = await adapterOf(folder.path, shapes, overrides);
  const error = await failureOf(AdapterError, () => {
    assertFits(adapter, model);
  });
  expect(error).toMatchObject({ path: adapter.path, exitCode: 1 });
  expect(error.message).toContain(adapter.path);
  return error;
}

describe("an adapter fits", () => {
  it.each(tinyArchitectures)("the %s model that it was made for", async (architecture) => {
    const model = await readBaseModel(await writeTinyModel(folder.path, "own.gguf", { architecture }));
    const adapter = await loadGgufAdapter(await writeTinyAdapter(folder.path, "own-lora.gguf", { architecture }));
    expect(() => {
      assertFits(adapter, model);
    }).not.toThrow();
    expect(adapter.modules).toHaveLength(28);
  });

  it("with adapters of embedding and head where the model has both tensors", async () => {
    const adapter = await adapterOf(folder.path, { ...embedding, ...pair("output.weight", 32, 259) });
    expect(() => {
      assertFits(adapter, untied);
    }).not.toThrow();
  });

  it("with a negative alpha: that is a scale like any other", async () => {
    const adapter = await adapterOf(folder.path, pair(q, 32, 32), { "adapter.lora.alpha": float32(-8) });
    expect(() => {
      assertFits(adapter, untied);
    }).not.toThrow();
  });
});

describe("an adapter is refused", () => {
  it("for another architecture", async () => {
    const error = await refusal(untied, pair(q, 32, 32), { "general.architecture": text("qwen2") });
    expect(error.message).toContain("another architecture than " + join(folder.path, "llama.gguf"));
    expect(error.message).toContain('found adapter "qwen2", expected "llama"');
    expect(error.message).toContain("Use the adapter with the base model that it was trained on.");
  });

  it("without an architecture", async () => {
    const error = await refusal(untied, pair(q, 32, 32), { "general.architecture": undefined });
    expect(error.message).toContain('found adapter ""');
  });

  it("with alpha 0, which the engine would read as scale 1", async () => {
    const error = await refusal(untied, pair(q, 32, 32), { "adapter.lora.alpha": float32(0) });
    expect(error.message).toContain("alpha 0, which the engine reads as scale 1 instead of 0");
    expect(error.message).toContain("Set the real alpha");
  });

  it.each([
    ["inputs", pair(q, 48, 32), "an update of [48, 32]"],
    ["outputs", pair(q, 32, 48), "an update of [32, 48]"],
  ])("for another shape of %s", async (_what, shapes, found) => {
    const error = await refusal(untied, shapes);
    expect(error.message).toContain(`the shape of ${q} does not match`);
    expect(error.message).toContain(`found ${found}, expected [32, 32] as in the model`);
    expect(error.tensor).toBe(q);
  });

  it("for another number of experts, which the engine would not notice", async () => {
    const options = { architecture: "llama", experts: 4 } as const;
    const model = await readBaseModel(await writeTinyModel(folder.path, "experts.gguf", options));
    const shapes = (experts: number): Shapes => ({
      "blk.1.ffn_gate_exps.weight.lora_a": [32, 2, experts],
      "blk.1.ffn_gate_exps.weight.lora_b": [2, 64, experts],
    });
    assertFits(await adapterOf(folder.path, shapes(4)), model);
    const error = await refusal(model, shapes(3));
    expect(error.message).toContain("found an update of [32, 64, 3], expected [32, 64, 4] as in the model");
    await refusal(model, pair("blk.1.ffn_gate_exps.weight", 32, 64));
    await refusal(model, { [`${q}.lora_a`]: [32, 2, 4], [`${q}.lora_b`]: [2, 32, 4] });
  });

  it("for another vocabulary", async () => {
    const error = await refusal(untied, { ...embedding, "token_embd.weight.lora_a": [2, 300] });
    expect(error.message).toContain("found an update of [32, 300], expected [32, 259]");
    const head = await refusal(untied, pair("output.weight", 32, 300));
    expect(head.message).toContain("found an update of [32, 300], expected [32, 259]");
  });

  it("with more layers than the model", async () => {
    const error = await refusal(untied, pair("blk.4.attn_q.weight", 32, 32));
    expect(error.message).toContain(
      "more layers than the model: found tensor blk.4.attn_q.weight, expected layers 0 to 3",
    );
    expect(error.tensor).toBe("blk.4.attn_q.weight");
  });

  it("for a tensor that the model does not have", async () => {
    const error = await refusal(untied, pair("blk.1.ssm_in.weight", 32, 32));
    expect(error.message).toContain("adapts tensor blk.1.ssm_in.weight, which the model");
    expect(error.message).toContain("does not have");
  });

  it.each([
    ["token_embd.weight", embedding],
    ["output.weight", pair("output.weight", 32, 259)],
  ])("of %s when the model shares one tensor: the engine would abort", async (name, shapes) => {
    const error = await refusal(tied, shapes);
    expect(error.message).toContain(
      `adapts ${name}, but the model shares one tensor between embedding and output head`,
    );
    expect(error.message).toContain("Train without embed_tokens and lm_head");
    expect(error.tensor).toBe(name);
  });
});
