import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBaseModel, withSha256 } from "../../src/adapter/base-model.js";
import { AdapterError, BoundaryError, FileError, FormatError } from "../../src/errors.js";
import type { GgufValue } from "../../src/formats/gguf-value.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { CHATML, text, uint32, writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";
import { writeFileOf, type Overrides, type Shapes } from "./files.js";

const folder = temporaryFolder();

/** A header that passes for a model of two layers. */
async function writeModel(name: string, overrides: Overrides = {}, more: Shapes = {}): Promise<string> {
  const path = join(folder.path, name);
  const shapes = {
    "token_embd.weight": [8, 10],
    "blk.0.attn_q.weight": [8, 8],
    "blk.1.attn_q.weight": [8, 8],
    ...more,
  };
  await writeFileOf(path, shapes, {
    "general.architecture": text("llama"),
    "llama.block_count": uint32(2),
    "llama.embedding_length": uint32(8),
    "llama.attention.head_count": uint32(4),
    ...overrides,
  });
  return path;
}

describe("reading a base model", () => {
  it("gives what must be known before the engine loads it", async () => {
    const path = await writeTinyModel(folder.path, "tiny.gguf", { architecture: "qwen2", layers: 3 });
    const model = await readBaseModel(path);
    const bytes = await readFile(path);
    expect(model).toMatchObject({
      path,
      files: [path],
      byteLength: bytes.length,
      architecture: "qwen2",
      name: "tiny qwen2",
      layerCount: 3,
      trainContextSize: 512,
      shortContextSize: undefined,
      chatTemplate: CHATML,
      bosText: "<|im_start|>",
      eosText: "<|im_end|>",
      tiedEmbedding: false,
      // 2 bytes, 3 layers, 2 heads, 8 for a key and 8 for a value.
      cacheBytesPerToken: 2 * 3 * 2 * 16,
    });
    expect(model.shapes.get("blk.2.ffn_up.weight")).toEqual([32, 64]);
    expect(model.shapes.has("blk.3.ffn_up.weight")).toBe(false);
  });

  it("sees that embedding and head share one tensor, and that there is no chat template", async () => {
    const path = await writeTinyModel(folder.path, "tied.gguf", { architecture: "gemma", chatTemplate: undefined });
    expect(await readBaseModel(path)).toMatchObject({ tiedEmbedding: true, chatTemplate: undefined });
  });

  it("assumes what a file leaves out: as many key heads as heads, 4096 tokens of context, no special tokens", async () => {
    expect(await readBaseModel(await writeModel("sparse.gguf"))).toMatchObject({
      cacheBytesPerToken: 2 * 2 * 4 * (2 + 2),
      trainContextSize: 4096,
      shortContextSize: undefined,
      name: undefined,
      bosText: "",
      eosText: "",
    });
  });

  it("adds up the layers where their numbers of heads differ", async () => {
    const heads: GgufValue = { type: "array", itemType: "uint32", value: [1, 2] };
    const path = await writeModel("heads.gguf", { "llama.attention.head_count_kv": heads });
    expect(await readBaseModel(path)).toMatchObject({
      keyValueHeadCount: 2,
      stateKeyHeadCount: 0,
      stateValueHeadCount: 0,
      cacheBytesPerToken: 2 * (1 + 2) * (2 + 2),
      stateBytesPerSequence: 0,
    });
  });
});

describe("a model that is split over several files", () => {
  const split = { "split.count": { type: "uint16", value: 2 } } satisfies Overrides;

  it("is read from its first file on, tensors of all included", async () => {
    const first = await writeModel("m-00001-of-00002.gguf", split);
    const second = join(folder.path, "m-00002-of-00002.gguf");
    await writeFileOf(second, { "output.weight": [8, 10] }, split);
    const model = await readBaseModel(first);
    const parts = await Promise.all([first, second].map((path) => readFile(path)));
    expect(model.shapes.get("output.weight")).toEqual([8, 10]);
    expect(model.tiedEmbedding).toBe(false);
    expect(model.byteLength).toBe(parts[0]!.length + parts[1]!.length);
    expect((await withSha256(model)).sha256).toBe(
      parts.map((part) => createHash("sha256").update(part).digest("hex")).join("+"),
    );
  });

  it("is refused when a file is missing or another than the first is given", async () => {
    const lonely = await writeModel("n-00001-of-00002.gguf", split);
    const missing = await failureOf(FileError, () => readBaseModel(lonely));
    expect(missing.message).toContain("n-00002-of-00002.gguf: found no such file or folder");
    const second = await writeModel("n-00002-of-00002.gguf", split);
    const wrong = await failureOf(FormatError, () => readBaseModel(second));
    expect(wrong.message).toContain("not its first: expected a name that ends in -00001-of-00002.gguf");
  });
});

describe("what is not a base model is refused:", () => {
  it("an adapter", async () => {
    const path = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
    const error = await failureOf(AdapterError, () => readBaseModel(path));
    expect(error.message).toContain(`${path} is an adapter, not a base model`);
    expect(error.message).toContain("Give the base model with --model and the LoRA adapter with --adapter.");
    expect(error).toBeInstanceOf(BoundaryError);
    expect(error.exitCode).toBe(1);
  });

  const cases: [what: string, overrides: Overrides, word: string][] = [
    ["no architecture", { "general.architecture": undefined }, "found no general.architecture"],
    ["no block count", { "llama.block_count": undefined }, "found llama.block_count missing"],
    ["a block count of 0", { "llama.block_count": uint32(0) }, "found llama.block_count 0"],
    ["a block count that is no whole number", { "llama.block_count": { type: "float32", value: 1.5 } }, "1.5"],
    ["more blocks than tensors", { "llama.block_count": uint32(4294967295) }, "found llama.block_count 4294967295"],
  ];
  it.each(cases)("%s", async (_what, overrides, word) => {
    const path = await writeModel("bad.gguf", overrides);
    const error = await failureOf(FormatError, () => readBaseModel(path));
    expect(error.message).toContain(`${path} is not a language model`);
    expect(error.message).toContain(word);
    expect(error.message).toContain("expected general.architecture and its block_count");
  });
});
