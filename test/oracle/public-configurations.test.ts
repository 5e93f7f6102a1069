import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { loadAdapter } from "../../src/adapter/either-form.js";
import { examinePeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { readGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { mergeAdapter } from "../../src/merge/merge-adapter.js";
import { readSafetensorsHeader } from "../../src/formats/safetensors-reader.js";
import { writeSafetensors } from "../../src/formats/safetensors-writer.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { peftTensor } from "../adapter/peft-files.js";

/** What a folder is made of: a recorded adapter, under a configuration and names as trainers write them. */
interface Case {
  /** Where it comes from: `fixtures/llama/plain`, or a family. */
  readonly from?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys that this version of the trainer does not write. */
  readonly without?: readonly string[];
  readonly rename?: (tensor: string) => string;
  /** Tensors beside A and B, by name with their shapes. */
  readonly more?: Readonly<Record<string, readonly number[]>>;
  /** Names of the files. */
  readonly files?: Readonly<Record<string, string>>;
}

/** `converts`, the code of the finding that refuses it, or `merges`: refused with the advice to merge, which works. */
type Verdict = "converts" | "merges" | (string & {});

const home = fileURLToPath(new URL(".", import.meta.url));
const all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
/** Keys of the LoraConfig of PEFT 0.4 (2023), and those that came after it. */
const old = [
  "alora_invocation_tokens",
  "target_parameters",
  "peft_version",
  "use_dora",
  "use_rslora",
  "alpha_pattern",
  "rank_pattern",
  "loftq_config",
  "megatron_config",
  "layer_replication",
  "trainable_token_indices",
];
const under = (prefix: string) => (name: string) => name.replace("model.layers", `${prefix}.layers`);
const tower = {
  "base_model.model.model.visual.blocks.0.attn.qkv.lora_A.weight": [4, 32],
  "base_model.model.model.visual.blocks.0.attn.qkv.lora_B.weight": [96, 4],
};
const clip = {
  "base_model.model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.lora_A.weight": [4, 32],
  "base_model.model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.lora_B.weight": [32, 4],
};

const cases: Readonly<Record<string, readonly [verdict: Verdict, made: Case]>> = {
  "alpaca-lora, 2023: no use_rslora, q and v": ["converts", { without: old }],
  "PEFT 0.3: enable_lora and merge_weights": [
    "converts",
    { without: old, config: { enable_lora: null, merge_weights: false } },
  ],
  "QLoRA with all linear modules": ["converts", { config: { target_modules: all, lora_dropout: 0.05 } }],
  "all-linear, as PEFT keeps it when it is not resolved": ["converts", { config: { target_modules: "all-linear" } }],
  "target_modules null": ["converts", { config: { target_modules: null } }],
  "a Python expression": ["converts", { config: { target_modules: String.raw`.*\.(self_attn|mlp)\.\w+_proj` } }],
  "Unsloth's expression": [
    "converts",
    {
      config: {
        target_modules: String.raw`(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense).*?(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)\.(?:(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)))`,
      },
    },
  ],
  "LLaMA-Factory: expressions with escaped underscores": [
    "converts",
    { config: { target_modules: String.raw`.*\.(self\_attn|mlp)\.(q|k|v|o|gate|up|down)\_proj` } },
  ],
  "Unsloth: init_lora_weights and a runtime config": [
    "converts",
    {
      config: {
        auto_mapping: {
          base_model_class: "LlamaForCausalLM",
          parent_library: "transformers.models.llama.modeling_llama",
          unsloth_fixed: true,
        },
        runtime_config: {},
      },
    },
  ],
  "swift: a base that is a local path": [
    "converts",
    { config: { base_model_name_or_path: "/mnt/workspace/.cache/modelscope/LLM-Research/llama" } },
  ],
  "Axolotl: fan_in_fan_out null": ["converts", { config: { fan_in_fan_out: null, modules_to_save: null } }],
  "rsLoRA at rank 4": ["converts", { from: "fixtures/llama/rslora" }],
  "rank_pattern and alpha_pattern": ["converts", { from: "fixtures/llama/rslora-patterns" }],
  "some layers only": ["converts", { from: "fixtures/llama/layers-to-transform" }],
  "layers_pattern empty": ["converts", { from: "fixtures/llama/layers-to-transform", config: { layers_pattern: "" } }],
  "BF16 weights": ["converts", { from: "fixtures/llama/bf16" }],
  "F16 weights": ["converts", { from: "fixtures/llama/f16" }],
  "two shards": ["converts", { from: "fixtures/llama/sharded" }],
  "the adapter's name in the tensors (.default.)": ["converts", { from: "fixtures/llama/names-default" }],
  "no prefix": ["converts", { from: "fixtures/llama/names-no-prefix" }],
  "torch.compile": ["converts", { rename: (name) => name.replace("model.layers", "_orig_mod.model.layers") }],
  "FSDP wrappers": ["converts", { rename: (name) => name.replace("self_attn", "_fsdp_wrapped_module.self_attn") }],
  "torchtune's PEFT layout": ["converts", { without: [...old, "inference_mode", "bias", "lora_dropout"] }],
  "adapter_model.bin": ["converts", { from: "kinds/pickled" }],
  "embeddings and head adapted": ["converts", { from: "fixtures/llama/embed-and-head" }],
  mistral: ["converts", { from: "families/mistral/plain" }],
  qwen2: ["converts", { from: "fixtures/qwen2/plain" }],
  qwen3: ["converts", { from: "fixtures/qwen3/plain" }],
  gemma: ["converts", { from: "families/gemma/plain" }],
  gemma2: ["converts", { from: "fixtures/gemma2/plain" }],
  "gemma3 text": ["converts", { from: "fixtures/gemma3/plain" }],
  "gemma3 with its vision tower's names": ["converts", { from: "families/gemma3-vision/plain" }],
  "gemma3, older names of the text model": ["converts", { from: "fixtures/gemma3/names-language-model-old" }],
  phi3: ["converts", { from: "fixtures/phi3/plain" }],
  "phi-2": ["converts", { from: "fixtures/phi/plain" }],
  smollm3: ["converts", { from: "families/smollm3/plain" }],
  granite: ["converts", { from: "families/granite/plain" }],
  apertus: ["converts", { from: "families/apertus/plain" }],
  olmo2: ["converts", { from: "families/olmo2/plain" }],
  "ministral 3": ["converts", { from: "families/ministral3/plain" }],
  "Qwen2-VL, the language model alone": ["converts", { from: "families/qwen2_vl/plain" }],
  "Qwen2-VL with its tower, which is left out": [
    "converts",
    { from: "families/qwen2_vl/plain", more: tower, config: { target_modules: [...all, "qkv"] } },
  ],
  "Qwen2.5-VL, names of transformers 4.51": [
    "converts",
    {
      from: "families/qwen2_5_vl/plain",
      rename: (name) => name.replace("model.language_model.layers", "model.layers"),
      config: { target_modules: all },
    },
  ],
  "Qwen3-VL": ["converts", { from: "families/qwen3_vl/plain" }],
  "LLaVA: language_model.model.layers": [
    "converts",
    { rename: under("language_model.model"), more: clip, config: { target_modules: all } },
  ],
  "Qwen3-MoE, attention": ["converts", { from: "families/qwen3_moe/plain" }],
  "Qwen3-MoE, expert parameters": ["converts", { from: "families/qwen3_moe/experts" }],
  "Mixtral, experts one by one": ["converts", { from: "kinds/experts-one-by-one" }],
  "gpt-oss, attention and experts": ["converts", { from: "families/gpt-oss/experts" }],
  "Qwen3.5": ["converts", { from: "families/qwen3_5/plain" }],
  falcon: ["converts", { from: "families/falcon/plain" }],
  "gpt-neox": ["converts", { from: "families/gpt_neox/plain" }],
  "gpt2 with fan_in_fan_out": ["converts", { from: "families/gpt2/plain", config: { fan_in_fan_out: true } }],
  "mlx-lm": ["converts", { from: "kinds/mlx" }],
  AdaLoRA: ["converts", { from: "kinds/adalora-masked" }],
  VeRA: ["converts", { from: "kinds/vera" }],
  LoKr: ["converts", { from: "kinds/lokr" }],
  DoRA: ["merges", { from: "kinds/dora" }],
  "modules_to_save of embeddings, head and norms": ["merges", { from: "kinds/modules-to-save" }],
  "trained tokens": ["merges", { from: "kinds/trained-tokens" }],
  IA3: ["not-lora", { config: { peft_type: "IA3", feedforward_modules: ["down_proj"] } }],
  BOFT: ["not-lora", { config: { peft_type: "BOFT" } }],
  "prompt tuning": ["not-lora", { config: { peft_type: "PROMPT_TUNING", num_virtual_tokens: 8 } }],
  "activated LoRA": ["alora", { config: { alora_invocation_tokens: [1, 2] } }],
  QALoRA: ["variant", { config: { use_qalora: true } }],
  "layer replication": [
    "layer-replication",
    {
      config: {
        layer_replication: [
          [0, 4],
          [2, 4],
        ],
      },
    },
  ],
  T5: [
    "encoder-decoder",
    {
      config: { task_type: "SEQ_2_SEQ_LM" },
      rename: (name) =>
        name.replace("model.model.layers.", "model.decoder.block.").replace("self_attn", "layer.0.SelfAttention"),
    },
  ],
  "a vision tower alone": ["no-decoder", { more: clip, rename: () => "" }],
  "a configuration of other modules": ["not-targeted", { config: { target_modules: ["query_key_value"] } }],
  "a configuration of another rank": ["rank", { config: { r: 16 } }],
  "tensors of an unknown kind": [
    "unknown-tensor",
    { more: { "base_model.model.model.layers.0.self_attn.q_proj.hra_u": [4, 4] } },
  ],
};

/** Trainers with the cases that are theirs. */
const trainers: Readonly<Record<string, readonly string[]>> = {
  PEFT: [
    "alpaca-lora, 2023: no use_rslora, q and v",
    "QLoRA with all linear modules",
    "a Python expression",
    "rsLoRA at rank 4",
    "rank_pattern and alpha_pattern",
    "some layers only",
    "two shards",
    "no prefix",
    "the adapter's name in the tensors (.default.)",
    "adapter_model.bin",
    "embeddings and head adapted",
    "Qwen3-MoE, expert parameters",
    "Mixtral, experts one by one",
  ],
  Unsloth: ["Unsloth's expression", "Unsloth: init_lora_weights and a runtime config"],
  Axolotl: ["Axolotl: fan_in_fan_out null", "FSDP wrappers"],
  "LLaMA-Factory": ["LLaMA-Factory: expressions with escaped underscores"],
  TRL: ["torch.compile", "QLoRA with all linear modules"],
  torchtune: ["torchtune's PEFT layout"],
  swift: ["swift: a base that is a local path"],
  "mlx-lm": ["mlx-lm"],
};

/** The rows of a Markdown table, without what only lays it out. */
function cells(table: string): string[] {
  return table
    .trim()
    .split("\n")
    .filter((line) => !/^\|[ -]+\|[ |-]+$/.test(line))
    .map((line) => line.replaceAll(/ +/g, " "));
}

describe("folders as they lie on the hub", () => {
  const scratch = temporaryFolder();

  it.each(Object.entries(cases).map(([name, [verdict, made]]) => [name, verdict, made] as const))(
    "%s: %s",
    async (name, verdict, made) => {
      const source = join(home, made.from ?? "fixtures/llama/plain");
      const folder = join(scratch.path, name.replaceAll(/\W+/g, "-"));
      await cp(source, folder, { recursive: true });
      await reconfigure(folder, made);
      if (made.rename || made.more) await rewrite(join(folder, "adapter_model.safetensors"), made);
      for (const [from, to] of Object.entries(made.files ?? {})) {
        await mkdir(dirname(join(folder, to)), { recursive: true });
        await rename(join(folder, from), join(folder, to));
      }
      const base = await readBaseModel(basePath(source));
      const out = join(scratch.path, `${name.replaceAll(/\W+/g, "-")}.gguf`);
      if (verdict === "converts") {
        const either = await loadAdapter(folder);
        if (either.form !== "peft") throw new Error("not a folder");
        await writePeftAsGguf(either.adapter, base, out, { overwrite: false });
        expect((await readGgufAdapter(out)).modules.length).toBeGreaterThan(0);
        return;
      }
      const { findings } = await examinePeftAdapter(folder);
      const error = findings.find(({ severity }) => severity === "error");
      if (verdict === "merges") {
        expect(error?.fix).toContain("boundary merge");
        const { tensors } = await mergeAdapter(base, { adapter: folder, out, overwrite: false });
        expect(tensors.length).toBeGreaterThan(0);
        return;
      }
      expect([error?.code, (error?.fix ?? "").length > 10]).toEqual([verdict, true]);
    },
  );

  it("stand in docs/adapters.md by their trainers", async () => {
    const path = join(home, "../../docs/adapters.md");
    const text = readFileSync(path, "utf8");
    const rows = Object.entries(trainers).map(([trainer, names]) => {
      expect(names.filter((name) => cases[name]?.[0] !== "converts")).toEqual([]);
      return `| ${trainer} | ${names.join("; ")} | ✓ ${names.length} |`;
    });
    const table = ["| trainer | folders that are converted in a test | checked |", "| --- | --- | --- |", ...rows].join(
      "\n",
    );
    const block = /<!-- trainers -->([\s\S]*?)<!-- trainers end -->/;
    if (process.env["UPDATE_DOCS"])
      await writeFile(
        path,
        text.replace(block, () => `<!-- trainers -->\n\n${table}\n\n<!-- trainers end -->`),
      );
    else expect(cells(block.exec(text)?.[1] ?? ""), "UPDATE_DOCS=1 writes the table anew").toEqual(cells(table));
  });

  it("are at least sixty", () => {
    expect(Object.keys(cases).length).toBeGreaterThanOrEqual(60);
  });
});

async function reconfigure(folder: string, { config = {}, without = [] }: Case): Promise<void> {
  const path = join(folder, "adapter_config.json");
  const given = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  const kept = Object.entries({ ...given, ...config }).filter(([key]) => !without.includes(key));
  await writeFile(path, JSON.stringify(Object.fromEntries(kept)));
}

/** Tensors under other names, with others beside them; a name that becomes empty is left out. */
async function rewrite(path: string, { rename: change = (name) => name, more = {} }: Case): Promise<void> {
  const bytes = readFileSync(path);
  const { tensors } = await readSafetensorsHeader(path);
  const renamed = tensors.map(({ offset, byteLength, ...tensor }) => {
    return {
      ...tensor,
      name: change(tensor.name),
      byteLength,
      data: () => [bytes.subarray(offset, offset + byteLength)],
    };
  });
  const added = Object.entries(more).map(([name, shape]) => peftTensor(name, shape));
  await rm(path);
  await writeSafetensors(path, [...renamed.filter(({ name }) => name !== ""), ...added], new Map(), {
    overwrite: false,
  });
}

/** The base of a recorded adapter. */
function basePath(source: string): string {
  const expected = JSON.parse(readFileSync(join(source, "expected.json"), "utf8")) as { base?: unknown };
  if (typeof expected.base === "string") return join(home, expected.base, "base.gguf");
  return source.includes("/kinds/") ? join(home, "fixtures/llama/base.gguf") : join(dirname(source), "base.gguf");
}
