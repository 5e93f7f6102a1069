import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { blocks, peftPairs, peftTensor, writePeft } from "../adapter/peft-files.js";
import { callCli } from "../support/command.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
const fixture = (name: string): string => fileURLToPath(new URL(`../oracle/fixtures/${name}`, import.meta.url));
const out = (): string => at("out");

interface Trimmed {
  readonly code: number | null;
  readonly stderr: string;
  readonly names: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

async function trim(adapter: string, ...flags: string[]): Promise<Trimmed> {
  const { code, stderr } = await callCli(["trim", adapter, ...flags, "--out", out(), "--force"]);
  if (code !== 0) return { code, stderr, names: [], config: {} };
  const { tensors } = await readSafetensorsHeader(join(out(), "adapter_model.safetensors"));
  const config = JSON.parse(await readFile(join(out(), "adapter_config.json"), "utf8")) as Record<string, unknown>;
  return { code, stderr, names: tensors.map(({ name }) => name).sort(), config };
}

// test/oracle/check_trimmed.py holds that PEFT loads these; the names are pinned here.
describe("a trimmed folder has the names that PEFT loads", () => {
  it.each(["plain", "names-default", "names-no-prefix", "names-bare"])("from llama/%s", async (name) => {
    const { names } = await trim(fixture(`llama/${name}`), "--keep", "1", "--modules", "q_proj");
    const q = "base_model.model.model.layers.0.self_attn.q_proj";
    expect(names).toEqual([`${q}.lora_A.weight`, `${q}.lora_B.weight`]);
  });

  it.each([
    ["names-language-model", "base_model.model.model.language_model.layers.0"],
    ["names-language-model-old", "base_model.model.language_model.model.layers.0"],
  ])("from gemma3/%s, whose model class has such paths", async (name, prefix) => {
    const { names } = await trim(fixture(`gemma3/${name}`), "--keep", "1", "--modules", "q_proj");
    expect(names[0]).toBe(`${prefix}.self_attn.q_proj.lora_A.weight`);
  });

  it("embedding and head, with the adapter's name or without the prefix", async () => {
    const tensors = [
      peftTensor("model.embed_tokens.lora_embedding_A.default", [4, 50]),
      peftTensor("model.embed_tokens.lora_embedding_B.default", [32, 4]),
      peftTensor("lm_head.lora_A.default.weight", [4, 32]),
      peftTensor("lm_head.lora_B.default.weight", [50, 4]),
      ...peftPairs(blocks("model.layers"), ""),
    ];
    const adapter = await writePeft(at("ends"), tensors);
    const { names } = await trim(adapter, "--layers", "0,3", "--layer-count", "4");
    expect(names).toEqual(
      [
        "base_model.model.lm_head.lora_A.weight",
        "base_model.model.lm_head.lora_B.weight",
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.embed_tokens.lora_embedding_B",
        ...[0, 3].flatMap((layer) =>
          ["A", "B"].map((half) => `base_model.model.model.layers.${layer}.self_attn.q_proj.lora_${half}.weight`),
        ),
      ].sort(),
    );
  });

  it("experts go by a list of names: PEFT cannot resolve an expression for single experts", async () => {
    const experts = [0, 1].flatMap((expert) => blocks("model.layers", `mlp.experts.${expert}.up_proj`));
    const adapter = await writePeft(at("experts"), peftPairs([...blocks("model.layers"), ...experts]));
    const { config } = await trim(adapter, "--layers", "0,2");
    expect(config).toMatchObject({ target_modules: ["q_proj", "up_proj"], layers_to_transform: [0, 2] });
  });

  it("a name in the list never stands for a module that was dropped", async () => {
    const shared = blocks("model.layers", "mlp.shared_expert.up_proj", 2);
    const other = blocks("model.layers", "mlp.up_proj", 2);
    const adapter = await writePeft(at("shared"), peftPairs([...shared, ...other].slice(0, 3)));
    const { config } = await trim(adapter, "--layers", "1");
    expect(config).toMatchObject({ target_modules: ["up_proj"], layers_to_transform: [1] });
  });
});

describe("L of a PEFT folder", () => {
  const q = peftPairs(blocks("model.layers", undefined, 3));

  it("is implied where every layer is adapted, and said", async () => {
    const { stderr, config } = await trim(await writePeft(at("every"), q), "--layers", "-1");
    expect(stderr).toBe(
      "note: adapter_config.json adapts every layer and the highest in the file is 2, so the base model is taken to have 3 layers\n",
    );
    expect(config["layers_to_transform"]).toEqual([2]);
  });

  it.each([
    ["a list of layers", { layers_to_transform: [0, 1, 2] }],
    ["an expression", { target_modules: String.raw`.*\.q_proj` }],
    ["modules named in full", { target_modules: blocks("model.layers", undefined, 3) }],
    ["exclusions", { exclude_modules: ["model.layers.3.self_attn.q_proj"] }],
  ])("is asked for with %s", async (_what, config) => {
    const adapter = await writePeft(at("unknown"), q, config);
    const { code, stderr } = await trim(adapter, "--layers", "-1");
    expect([code, stderr]).toEqual([2, expect.stringContaining("--layer-count")]);
    expect((await trim(adapter, "--keep", "2")).code).toBe(0);
    expect((await trim(adapter, "--modules", "q_proj")).config["layers_to_transform"]).toEqual([0, 1, 2]);
  });

  it("comes from the base's config.json where that folder is on this machine", async () => {
    for (const [name, text] of [
      ["base", { num_hidden_layers: 5 }],
      ["base-vl", { text_config: { num_hidden_layers: 5 }, vision_config: { num_hidden_layers: 9 } }],
    ] as const) {
      await mkdir(at(name));
      await writeFile(join(at(name), "config.json"), JSON.stringify(text));
      const config = { base_model_name_or_path: at(name), layers_to_transform: [0, 1, 2] };
      const { names, stderr } = await trim(await writePeft(at(`of-${name}`), q, config), "--layers", "0,-3");
      expect([names.length, stderr]).toEqual([4, ""]);
      const metadata = (await readSafetensorsHeader(join(out(), "adapter_model.safetensors"))).metadata;
      expect(metadata.get("boundary.layers")).toBe("5");
    }
  });
});
