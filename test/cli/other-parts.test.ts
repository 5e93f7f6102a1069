import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { openAdapter } from "../../src/adapter/open-adapter.js";
import { exists } from "../../src/files/atomic-file.js";
import { callCli } from "../support/command.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { blocks, peftPairs, peftTensor, writePeft } from "../adapter/peft-files.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
const model = fileURLToPath(new URL("../oracle/fixtures/llama/base.gguf", import.meta.url));
const tower = blocks("vision_tower.vision_model.encoder.layers");
const text = blocks("model.layers");

describe("an adapter of another tower only", () => {
  it.each([
    ["vision", tower, "4 vision-tower modules"],
    ["audio", blocks("audio_tower.layers", undefined, 1), "1 audio-tower module "],
    ["speech", blocks("talker.model.layers"), "4 speech-generator modules"],
    ["projector", ["multi_modal_projector.linear_1"], "1 projector module "],
    ["encoder", blocks("bert.encoder.layer", "attention.self.query"), "4 encoder modules"],
  ])("(%s) is refused everywhere, and nothing is written", async (name, paths, words) => {
    const adapter = await writePeft(at(name), peftPairs(paths));
    const out = at(`${name}-out`);
    for (const call of [
      ["inspect", adapter],
      ["convert", adapter, "--model", model, "--out", out],
      ["trim", adapter, "--keep", "1", "--out", out],
    ]) {
      const { code, stdout, stderr } = await callCli(call);
      expect(code).toBe(1);
      expect(stdout + stderr).toContain("Nothing of the text decoder is adapted");
      expect(stdout + stderr).toContain(words);
    }
    expect(await exists(out)).toBe(false);
  });
});

describe("a text decoder with another tower in one file", () => {
  it.each([
    ["llava", blocks("language_model.model.layers"), [...tower, "multi_modal_projector.linear_1"]],
    ["qwen", blocks("model.language_model.layers"), blocks("model.visual.blocks", "attn.qkv")],
    ["llava-first", text, tower.map((path) => `model.vision_tower.${path}`)],
    [
      "omni",
      blocks("thinker.model.layers"),
      [...blocks("talker.model.layers"), ...blocks("thinker.audio_tower.layers")],
    ],
    ["speech", blocks("language_model.model.layers"), blocks("encoder.layers", "attn.q_proj")],
  ])("(%s) keeps the decoder's modules and names the others", async (name, decoder, others) => {
    const adapter = await writePeft(at(name), peftPairs([...decoder, ...others]));
    const warning = /warning: .*modules?,? .*ignored: llama\.cpp has no place for them \(first: /;
    const inspected = await callCli(["inspect", adapter, "--model", model]);
    expect([inspected.code, inspected.stdout]).toEqual([0, expect.stringMatching(warning) as string]);
    const gguf = at(`${name}.gguf`);
    const converted = await callCli(["convert", adapter, "--model", model, "--out", gguf]);
    expect([converted.code, converted.stderr]).toEqual([0, expect.stringMatching(warning) as string]);
    const names = (await loadGgufAdapter(gguf)).modules.map((module) => module.name);
    expect(names).toEqual([0, 1, 2, 3].map((layer) => `blk.${layer}.attn_q.weight`));
    const trimmed = await callCli(["trim", adapter, "--keep", "2", "--out", at(`${name}-2`)]);
    expect([trimmed.code, trimmed.stderr]).toEqual([0, expect.stringMatching(warning) as string]);
    expect(trimmed.stderr).toContain("the trimmed folder goes without");
    expect((await loadPeftAdapter(at(`${name}-2`))).modules).toHaveLength(2);
  });

  it("is shown by what opens an adapter for the engine", async () => {
    const adapter = await writePeft(at("opened"), peftPairs([...text, ...tower]));
    const { peft, close } = await openAdapter(adapter, await readBaseModel(model));
    await close();
    expect(peft?.findings.map(({ message }) => message)).toEqual([
      "4 vision-tower modules are ignored: llama.cpp has no place for them (first: vision_tower.vision_model.encoder.layers.0.self_attn.q_proj).",
    ]);
  });

  it("is trimmed to exactly the decoder's modules, although the tower has names like theirs", async () => {
    const adapter = await writePeft(at("alike"), peftPairs([...text, ...tower]));
    await callCli(["trim", adapter, "--keep", "2", "--out", at("alike-2")]);
    const config = JSON.parse(await readFile(join(at("alike-2"), "adapter_config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect(config["target_modules"]).toBe(String.raw`(?:.*\.)?(?:model\.layers\.(?:0|1)\.self_attn\.q_proj)`);
  });

  it("may have whole weights saved of the tower, not of the decoder", async () => {
    const merger = [peftTensor("base_model.model.visual.merger.mlp.0.weight", [4, 4])];
    const tensors = [...peftPairs(text), ...merger];
    const saved = await writePeft(at("merger"), tensors, { modules_to_save: ["visual.merger"] });
    expect((await loadPeftAdapter(saved)).findings.map(({ code }) => code)).toEqual(["other-part"]);
    const norm = [...peftPairs(text), peftTensor("base_model.model.model.layers.0.input_layernorm.weight", [32])];
    const { stdout } = await callCli(["inspect", await writePeft(at("norm"), norm)]);
    expect(stdout).toContain(
      "PEFT would leave these tensors out: merge the adapter into the base with the tool that made the file",
    );
  });
});

it("one module of the decoder under two paths is refused, never written twice", async () => {
  const twice = await writePeft(at("twice"), peftPairs([...text, ...blocks("language_model.model.layers")]));
  const { code, stderr } = await callCli(["convert", twice, "--model", model, "--out", at("twice.gguf")]);
  expect([code, await exists(at("twice.gguf"))]).toEqual([1, false]);
  expect(stderr).toContain("are the same module of the text decoder");
});

it.each([
  ["t5", ["encoder.block.0.layer.0.SelfAttention.q", "decoder.block.0.layer.0.SelfAttention.q"], "SEQ_2_SEQ_LM"],
  ["whisper", [...blocks("model.encoder.layers"), ...blocks("model.decoder.layers")], null],
  ["bart-decoder", blocks("model.decoder.layers"), "SEQ_2_SEQ_LM"],
])("an adapter of an encoder-decoder model (%s) is refused by that name", async (name, paths, task) => {
  const adapter = await writePeft(at(name), peftPairs(paths), { task_type: task });
  const { code, stdout } = await callCli(["inspect", adapter]);
  expect([code, stdout]).toEqual([1, expect.stringContaining("adapter of an encoder-decoder model")]);
});

it("modules of a list that is no known decoder's are refused, not guessed at", async () => {
  const adapter = await writePeft(at("foo"), peftPairs(blocks("foo.layers")));
  const { code, stdout } = await callCli(["inspect", adapter]);
  expect([code, stdout]).toEqual([1, expect.stringContaining("no place for 4 modules (first: foo.layers.0")]);
  const opt = await writePeft(at("opt"), peftPairs(blocks("model.decoder.layers")));
  const converted = await callCli(["convert", opt, "--model", model, "--out", at("opt.gguf")]);
  expect([converted.code, converted.stderr]).toEqual([
    1,
    expect.stringContaining("no counterpart in the architecture llama"),
  ]);
});

it("empty tensors are said to be ZeRO-3's, not another adapter's", async () => {
  const empty = text.flatMap((path) =>
    ["A", "B"].map((half) => peftTensor(`base_model.model.${path}.lora_${half}.weight`, [0])),
  );
  const adapter = await writePeft(at("zero3"), empty);
  for (const call of [
    ["inspect", adapter],
    ["trim", adapter, "--keep", "1", "--out", at("z")],
    ["convert", adapter, "--model", model, "--out", at("z")],
  ]) {
    const { code, stdout, stderr } = await callCli(call);
    expect([code, stdout + stderr]).toEqual([1, expect.stringContaining("8 of 8 LoRA tensors are empty (shape [0])")]);
    expect(stdout + stderr).toContain("stage3_gather_16bit_weights_on_model_save");
    expect(stdout + stderr).not.toContain("belongs to another adapter");
  }
});

it("wrappers of training in the middle of a name do not hide a module", async () => {
  const wrapped = blocks("_fsdp_wrapped_module.model.layers", "_checkpoint_wrapped_module.self_attn.q_proj");
  const { modules } = await loadPeftAdapter(await writePeft(at("wrapped"), peftPairs(wrapped)));
  expect(modules.map(({ modulePath }) => modulePath)).toEqual(text);
});

it("convert warns of updates that are zero, in both directions", async () => {
  const zeroB = fileURLToPath(new URL("../oracle/fixtures/llama/refused/zero-b", import.meta.url));
  const there = await callCli(["convert", zeroB, "--model", model, "--out", at("zero.gguf")]);
  expect([there.code, there.stderr]).toEqual([0, expect.stringMatching(/^warning: Every update is zero/)]);
  const back = await callCli(["convert", at("zero.gguf"), "--model", model, "--out", at("zero-back")]);
  expect([back.code, back.stderr]).toEqual([0, expect.stringMatching(/^warning: Every update is zero/)]);
  for (const form of [zeroB, at("zero.gguf")]) {
    expect((await callCli(["inspect", form])).stdout).toContain("warning: Every update is zero");
  }
});

it("what does not fit is said of the user's folder, not of a temporary file", async () => {
  const beyond = await writePeft(at("beyond"), peftPairs(["model.layers.9.self_attn.q_proj"]));
  const error = await openAdapter(beyond, await readBaseModel(model)).then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  expect(error?.message).toContain(`${beyond} has more layers than the model`);
});
