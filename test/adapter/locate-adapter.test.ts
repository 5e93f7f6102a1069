import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadAdapter } from "../../src/adapter/either-form.js";
import { inspectAdapter } from "../../src/adapter/inspect.js";
import { locateAdapter } from "../../src/adapter/locate-adapter.js";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { BoundaryError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { blocks, peftPairs, peftTensor, writePeft, writeWeights } from "./peft-files.js";

const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder.path, ...names);
const pairs = peftPairs(blocks("model.layers"));
const POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

/** Writes files with these texts into a new folder. */
async function files(name: string, texts: Readonly<Record<string, string>>): Promise<string> {
  await mkdir(at(name), { recursive: true });
  for (const [file, text] of Object.entries(texts)) await writeFile(at(name, file), text);
  return at(name);
}

async function messageOf(path: string): Promise<string> {
  const { message } = await failureOf(BoundaryError, () => loadAdapter(path));
  // `inspect` looks at a path in the same way.
  expect((await failureOf(BoundaryError, () => inspectAdapter(path))).message).toBe(message);
  return message;
}

describe("a PEFT folder by its own files", () => {
  it.each(["adapter_model.safetensors", "adapter_config.json"])("%s stands for its folder", async (file) => {
    const adapter = await writePeft(at("own"), pairs);
    expect(await locateAdapter(join(adapter, file))).toEqual({ form: "peft", path: adapter });
    expect((await loadAdapter(join(adapter, file))).adapter.modules).toHaveLength(4);
    expect((await inspectAdapter(join(adapter, file))).path).toBe(adapter);
  });

  it("weights without their configuration, a configuration without its weights", async () => {
    await mkdir(at("bare"));
    const weights = await writeWeights(at("bare", "adapter_model.safetensors"), pairs);
    for (const path of [weights, at("bare")])
      expect(await messageOf(path)).toContain(`${at("bare")} has adapter weights, but no adapter_config.json`);
    const alone = await files("alone", { "adapter_config.json": "{}" });
    await writeWeights(join(alone, "lora.safetensors"), pairs);
    expect(await messageOf(alone)).toMatch(/lora\.safetensors is not named as PEFT names its weights.*Rename/);
    const torn = await files("torn", { "adapter_config.json": "{}", "adapter_model-00001-of-00002.safetensors": "" });
    expect(await messageOf(torn)).toContain("several files, but not their index");
  });
});

describe("a folder around adapters", () => {
  it("names the newest checkpoint by its number", async () => {
    for (const step of [9, 100, 20]) await writePeft(at("trainer", `checkpoint-${step}`), pairs);
    expect(await messageOf(at("trainer"))).toBe(
      `${at("trainer")} is a folder of training checkpoints, not an adapter. ` +
        `Give one of its 3 checkpoints; the newest is ${at("trainer", "checkpoint-100")}.`,
    );
  });

  it("is not searched when it is an adapter itself", async () => {
    await writePeft(at("final"), pairs);
    await writePeft(at("final", "checkpoint-5"), pairs);
    expect(await locateAdapter(at("final"))).toEqual({ form: "peft", path: at("final") });
  });

  it("names an adapter in a subfolder, in a cache of Hugging Face too", async () => {
    const inner = await writePeft(at("models--a--b", "snapshots", "0f3a"), pairs);
    expect(await messageOf(at("models--a--b"))).toContain(`holds one. Give ${inner}.`);
    await writePeft(at("several", "a"), pairs);
    await writePeft(at("several", "b"), pairs);
    expect(await messageOf(at("several"))).toContain(`holds 2 of them. Give one of them: ${at("several", "a")}, `);
  });

  it("names a GGUF file in it, and an empty folder", async () => {
    expect(await messageOf(await files("ggufs", { "lora.gguf": "GGUF" }))).toContain(
      `Give the file itself: ${at("ggufs", "lora.gguf")}.`,
    );
    expect(await messageOf(await files("empty", {}))).toContain("is an empty folder");
    expect(await messageOf(await files("notes", { "README.md": "" }))).toContain("holds no adapter");
  });
});

const unet = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
const layouts: [name: string, tensor: string, words: string][] = [
  ["kohya", `lora_unet_${unet}.lora_down.weight`, "is a LoRA for an image model (kohya or diffusers)"],
  ["kohya-text-encoder", "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", "for an image model"],
  ["lycoris", `lycoris_${unet}.hada_w1_a`, "for an image model"],
  ["diffusers", "unet.down_blocks.0.attentions.0.to_q.lora_A.weight", "for an image model"],
  ["diffusers-old", "unet.mid_block.attentions.0.processor.to_q_lora.down.weight", "for an image model"],
  ["flux", "transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight", "for an image model"],
  ["mlx", "model.layers.0.self_attn.q_proj.lora_a", "holds weights of an mlx-lm adapter without a configuration"],
  ["model", "model.layers.0.self_attn.q_proj.weight", "holds the weights of a whole model"],
];
describe("files of other tools", () => {
  it.each(layouts)("%s, as a file, in a folder, and under PEFT's name", async (name, tensor, words) => {
    await mkdir(at(`layout-${name}`));
    const file = await writeWeights(at(`layout-${name}`, `${name}.safetensors`), [peftTensor(tensor, [4, 4])]);
    expect(await messageOf(file)).toContain(words);
    expect(await messageOf(at(`layout-${name}`))).toContain(words);
    await mkdir(at(`named-${name}`));
    await writeWeights(at(`named-${name}`, "adapter_model.safetensors"), [peftTensor(tensor, [4, 4])]);
    expect(await messageOf(at(`named-${name}`))).toContain(words);
  });

  it("mlx-lm's folder, by its configuration or by its weights", async () => {
    const config = JSON.stringify({ fine_tune_type: "lora", lora_parameters: { rank: 4, scale: 20 }, num_layers: 4 });
    const weightless = await files("mlx-config", { "adapter_config.json": config });
    expect(await messageOf(weightless)).toContain("has the configuration of an mlx-lm adapter, but not its weights");
    const unscaled = "holds weights of an mlx-lm adapter without a configuration";
    expect(await messageOf(await files("mlx-weights", { "adapters.safetensors": "" }))).toContain(unscaled);
  });

  it("pickles, single and sharded, and models stored as pickles", async () => {
    const single = await files("pickle", { "adapter_config.json": '{"peft_type":"LORA"}', "adapter_model.bin": "PK" });
    const pickled = await failureOf(BoundaryError, () => loadAdapter(single));
    expect(pickled.message).toContain("is not the zip archive that torch.save writes since PyTorch 1.6");
    const shards = { "adapter_config.json": "{}", "adapter_model-00001-of-00002.bin": "PK" };
    expect(await messageOf(await files("pickles", shards))).toContain("00002.bin is a pickle");
    const file = join(await files("other-pickle", { "lora.pt": "PK" }), "lora.pt");
    expect(await messageOf(file)).toContain("lora.pt is a pickle");
    const model = await files("pickled-model", { "config.json": "{}", "pytorch_model-00001-of-00002.bin": "PK" });
    expect(await messageOf(model)).toContain("holds the weights of a whole model");
    await files("full-training/checkpoint-5", { "config.json": "{}", "model.safetensors": "" });
    expect(await messageOf(at("full-training"))).toContain("holds the weights of a whole model");
  });
});

describe("what is stored in place of a file", () => {
  it.each(["adapter_config.json", "adapter_model.safetensors"])("a Git LFS pointer as %s", async (file) => {
    const adapter = await writePeft(at(`lfs-${file}`), pairs);
    await writeFile(join(adapter, file), POINTER);
    expect(await messageOf(adapter)).toBe(
      `${join(adapter, file)} is a Git LFS pointer, not the file itself. Run \`git lfs pull\` in its repository, or download the file itself.`,
    );
  });

  it("a Git LFS pointer as a shard's index, as a GGUF file, as a model", async () => {
    const shards = await files("lfs-index", {
      "adapter_config.json": '{"peft_type":"LORA"}',
      "adapter_model.safetensors.index.json": POINTER,
    });
    expect(await messageOf(shards)).toContain("index.json is a Git LFS pointer");
    const gguf = join(await files("lfs", { "model.gguf": POINTER }), "model.gguf");
    expect(await messageOf(gguf)).toContain("model.gguf is a Git LFS pointer");
    expect((await failureOf(BoundaryError, () => readBaseModel(gguf))).message).toContain("is a Git LFS pointer");
  });

  it("the web page around a download", async () => {
    const page = join(await files("page", { "lora.gguf": '<!doctype html>\n<html class="">' }), "lora.gguf");
    expect(await messageOf(page)).toContain("is a web page (HTML), not the file itself");
  });
});
