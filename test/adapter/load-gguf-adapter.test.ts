import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { AdapterError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { float32, text, uint32, writeTinyModel } from "../support/tiny-model.js";
import { adapterOf, pair, writeAdapter, type Overrides, type Shapes } from "./files.js";

const folder = temporaryFolder();
const q0 = "blk.0.attn_q.weight";

describe("loading an adapter", () => {
  it("gives its modules in the order of the file, with place, rank and coverage", async () => {
    const adapter = await adapterOf(folder.path, {
      ...pair("blk.10.ffn_down.weight", 64, 32, 3),
      ...pair(q0, 32, 32),
      "token_embd.weight.lora_a": [2, 100],
      "token_embd.weight.lora_b": [2, 32],
      ...pair("output.weight", 32, 100),
    });
    expect(adapter.modules.map(({ name, place, layer, module, rank }) => [name, place, layer, module, rank])).toEqual([
      ["blk.10.ffn_down.weight", "block", 10, "ffn_down", 3],
      [q0, "block", 0, "attn_q", 2],
      ["token_embd.weight", "embedding", undefined, "token_embd", 2],
      ["output.weight", "output", undefined, "output", 2],
    ]);
    const bytes = await readFile(adapter.path);
    expect(adapter).toMatchObject({
      architecture: "llama",
      alpha: 8,
      coverage: [0, 10],
      byteLength: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    expect(adapter.modules[0]?.a).toMatchObject({ name: "blk.10.ffn_down.weight.lora_a", dims: [64, 3] });
    expect(adapter.modules[0]?.b).toMatchObject({ name: "blk.10.ffn_down.weight.lora_b", dims: [3, 32] });
  });

  it("takes updates of experts, which lie one behind the other", async () => {
    const name = "blk.0.ffn_gate_exps.weight";
    const adapter = await adapterOf(folder.path, { [`${name}.lora_a`]: [4, 2, 8], [`${name}.lora_b`]: [2, 6, 8] });
    expect(adapter.modules).toMatchObject([{ name, layer: 0, module: "ffn_gate_exps", rank: 2, experts: 8 }]);
  });

  it("takes an alpha that is stored as an integer", async () => {
    const adapter = await adapterOf(folder.path, pair(q0, 4, 4), { "adapter.lora.alpha": uint32(16) });
    expect(adapter.alpha).toBe(16);
  });

  const refused: [what: string, shapes: Shapes, overrides: Overrides, ...words: string[]][] = [
    ["no general.type", pair(q0, 4, 4), { "general.type": undefined }, "is not an adapter", "without general.type"],
    ["another adapter.type", pair(q0, 4, 4), { "adapter.type": text("ia3") }, "not a LoRA adapter", '"ia3"', '"lora"'],
    ["no adapter.type", pair(q0, 4, 4), { "adapter.type": undefined }, "adapter.type missing"],
    [
      "no alpha",
      pair(q0, 4, 4),
      { "adapter.lora.alpha": undefined },
      "adapter.lora.alpha",
      "Convert the adapter again",
    ],
    ["a text as alpha", pair(q0, 4, 4), { "adapter.lora.alpha": text("8") }, "adapter.lora.alpha", "not a number"],
    ["an infinite alpha", pair(q0, 4, 4), { "adapter.lora.alpha": float32(Infinity) }, "adapter.lora.alpha"],
    ["no LoRA tensors", {}, {}, "holds no LoRA tensors", "export it again"],
    ["a lone half", { [`${q0}.lora_a`]: [4, 2] }, {}, q0, "only lora_a", "lora_a and lora_b"],
    ["a lone other half", { [`${q0}.lora_b`]: [2, 4] }, {}, q0, "only lora_b"],
    ["a tensor that is no LoRA half", { [q0]: [4, 4], ...pair(q0, 4, 4) }, {}, `tensor ${q0}`, "names such as"],
    ["a tensor of nowhere", pair("encoder.weight", 4, 4), {}, "tensor encoder.weight", "convert_lora_to_gguf.py"],
    ["a trained norm", pair("output_norm.weight", 4, 4), {}, "tensor output_norm.weight"],
    [
      "halves of two ranks",
      { [`${q0}.lora_a`]: [4, 2], [`${q0}.lora_b`]: [3, 4] },
      {},
      "do not fit each other",
      "A [4, 2]",
    ],
    [
      "experts of two numbers",
      { [`${q0}.lora_a`]: [4, 2, 8], [`${q0}.lora_b`]: [2, 4, 6] },
      {},
      "do not fit each other",
      "A [in, rank, experts] and B [rank, out, experts]",
    ],
    ["experts in one half", { [`${q0}.lora_a`]: [4, 2], [`${q0}.lora_b`]: [2, 4, 8] }, {}, "do not fit each other"],
    [
      "an embedding whose A lies as other modules' do",
      { "token_embd.weight.lora_a": [100, 2], "token_embd.weight.lora_b": [2, 32] },
      {},
      "A [rank, vocabulary] and B [rank, width]",
    ],
    [
      "a head of experts",
      { "output.weight.lora_a": [4, 2, 8], "output.weight.lora_b": [2, 4, 8] },
      {},
      "do not fit each other",
    ],
  ];
  it.each(refused)("refuses %s", async (_what, shapes, overrides, ...words) => {
    const path = await writeAdapter(folder.path, shapes, overrides);
    const error = await failureOf(AdapterError, () => loadGgufAdapter(path));
    expect(error).toMatchObject({ path, exitCode: 1 });
    for (const word of [path, ...words]) expect(error.message).toContain(word);
  });

  it("refuses a model, and says which flag is for what", async () => {
    const path = await writeTinyModel(folder.path, "model.gguf", { architecture: "llama" });
    const error = await failureOf(AdapterError, () => loadGgufAdapter(path));
    expect(error.message).toBe(
      `${path} is not an adapter: found general.type "model", expected general.type "adapter". ` +
        "Give the base model with --model and the LoRA adapter with --adapter.",
    );
  });

  it("names the tensor in a field too", async () => {
    const path = await writeAdapter(folder.path, { [`${q0}.lora_a`]: [4, 2] });
    const error = await failureOf(AdapterError, () => loadGgufAdapter(path));
    expect(error.tensor).toBe(q0);
  });
});
