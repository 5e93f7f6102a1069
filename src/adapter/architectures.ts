import { placeOfPath } from "./peft-places.js";
import type { RowOrder, RowSplit } from "./row-order.js";

/** A Hugging Face module whose rows are several GGUF tensors: which rows go to which of them. */
export interface SplitModule {
  readonly rows: RowSplit;
  readonly to: readonly string[];
}

/** What a module is in GGUF: one tensor, or several. Of alternatives the first whose tensors the base has. */
export type ModuleTarget = string | SplitModule | readonly (string | SplitModule)[];

/** How the modules of one architecture are called on both sides, and what the upstream converter does to the base's rows. */
export interface ArchitectureNames {
  /**
   * Name of the module in a decoder block of today's transformers (behind `layers.N.`) to its GGUF name (behind `blk.N.`).
   */
  readonly modules: Readonly<Record<string, ModuleTarget>>;
  /** GGUF names of modules whose rows are reordered, and of those whose columns are. */
  readonly rows: Readonly<Record<string, RowOrder>>;
  readonly columns: Readonly<Record<string, RowOrder>>;
  /** Path of the token embedding and of the head on the Hugging Face side. */
  readonly embedding: string;
  readonly head: string;
  readonly layers: string;
  /** Where the blocks lie in the model's own code, before transformers had it. */
  readonly otherLayers?: string;
  /**
   * Where transformers stores the stacked experts as [experts, in, out] instead of [experts, out, in]: whether it says so to PEFT, which
   * else takes in and out for each other (from 0.19 on; before that, everywhere but here). Source: `is_transposed` in peft/tuners/lora/layer.py.
   */
  readonly inputsFirst?: "declared" | "undeclared";
}

const attention = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
} as const;

const mlp = (name: string): Record<string, string> => ({
  [`${name}.gate_proj`]: "ffn_gate",
  [`${name}.up_proj`]: "ffn_up",
  [`${name}.down_proj`]: "ffn_down",
});

/** Experts that every token goes through. */
const shared = (name: string): Record<string, string> => ({
  [`${name}.gate_proj`]: "ffn_gate_shexp",
  [`${name}.up_proj`]: "ffn_up_shexp",
  [`${name}.down_proj`]: "ffn_down_shexp",
});

/** Routed experts: the parameters of transformers 5, and the router. */
const experts = (name: string, rows: RowSplit = "consecutive"): Record<string, ModuleTarget> => ({
  [`${name}.experts.gate_up_proj`]: ["ffn_gate_up_exps", { rows, to: ["ffn_gate_exps", "ffn_up_exps"] }],
  [`${name}.experts.down_proj`]: "ffn_down_exps",
  [`${name}.gate`]: "ffn_gate_inp",
});

/** Names under which transformers 4, mlx-lm and the models' own code have some of the same modules, in any architecture that has them. */
const otherNames: Readonly<Record<string, ModuleTarget>> = {
  ...Object.fromEntries(
    ["mlp", "feed_forward", "block_sparse_moe"].flatMap((name): (readonly [string, ModuleTarget])[] => [
      ...[".experts.*", ".switch_mlp"].flatMap((list): (readonly [string, ModuleTarget])[] => [
        [`${name}${list}.gate_proj`, "ffn_gate_exps"],
        [`${name}${list}.up_proj`, "ffn_up_exps"],
        [`${name}${list}.down_proj`, "ffn_down_exps"],
      ]),
      [`${name}.experts.*.w1`, "ffn_gate_exps"],
      [`${name}.experts.*.w3`, "ffn_up_exps"],
      [`${name}.experts.*.w2`, "ffn_down_exps"],
      [`${name}.gate`, "ffn_gate_inp"],
      [`${name}.router`, "ffn_gate_inp"],
      [`${name}.router.layer`, "ffn_gate_inp"],
    ]),
  ),
  // Granite before transformers 5.
  "block_sparse_moe.input_linear": ["ffn_gate_up_exps", { rows: "consecutive", to: ["ffn_gate_exps", "ffn_up_exps"] }],
  "block_sparse_moe.output_linear": "ffn_down_exps",
  // InternLM2, which is llama in GGUF.
  "attention.wqkv": { rows: "by-group", to: ["attn_q", "attn_k", "attn_v"] },
  "attention.wo": "attn_output",
  "feed_forward.w1": "ffn_gate",
  "feed_forward.w3": "ffn_up",
  "feed_forward.w2": "ffn_down",
  // Bamba, which is Granite's hybrid in GGUF.
  ...mlp("feed_forward"),
  // Phi-2 before transformers had it.
  "mixer.Wqkv": ["attn_qkv", { rows: "consecutive", to: ["attn_q", "attn_k", "attn_v"] }],
  "mixer.out_proj": "attn_output",
  // ChatGLM's own code.
  "self_attention.query_key_value": ["attn_qkv", { rows: "consecutive", to: ["attn_q", "attn_k", "attn_v"] }],
  "self_attention.dense": "attn_output",
  "mlp.dense_h_to_4h": "ffn_up",
  "mlp.dense_4h_to_h": "ffn_down",
};

const common = {
  embedding: "model.embed_tokens",
  head: "lm_head",
  layers: "model.layers",
  rows: {},
  columns: {},
} as const;
const rotary = { attn_q: "rotary", attn_k: "rotary" } as const;
const names = (...modules: Readonly<Record<string, ModuleTarget>>[]): ArchitectureNames => ({
  ...common,
  modules: Object.assign({}, ...modules) as Record<string, ModuleTarget>,
});

const visionText = { embedding: "model.language_model.embed_tokens", layers: "model.language_model.layers" } as const;
const plain = names(attention, mlp("mlp"));
const fusedGate = names(attention, { "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down" });
const denseAndShared = names(attention, mlp("mlp"), shared("mlp.shared_experts"), experts("mlp"));
const shortConvolution = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.out_proj": "attn_output",
  "conv.in_proj": "shortconv.in_proj",
  "conv.out_proj": "shortconv.out_proj",
  "feed_forward.w1": "ffn_gate",
  "feed_forward.w3": "ffn_up",
  "feed_forward.w2": "ffn_down",
} as const;
const stateSpace = (name: string): Record<string, string> => ({
  [`${name}.in_proj`]: "ssm_in",
  [`${name}.out_proj`]: "ssm_out",
});
const selective = (name: string): Record<string, string> => ({ ...stateSpace(name), [`${name}.x_proj`]: "ssm_x" });
const fusedAttention = (name: string): Record<string, string> => ({
  [`${name}.query_key_value`]: "attn_qkv",
  [`${name}.dense`]: "attn_output",
  "mlp.dense_h_to_4h": "ffn_up",
  "mlp.dense_4h_to_h": "ffn_down",
});
const byGroup = { attn_qkv: "qkv-by-group" } as const;
const transformer = { embedding: "transformer.word_embeddings", layers: "transformer.h" } as const;
const backbone = { embedding: "backbone.embeddings", layers: "backbone.layers" } as const;
const latent = {
  "self_attn.q_proj": "attn_q",
  "self_attn.q_a_proj": "attn_q_a",
  "self_attn.q_b_proj": "attn_q_b",
  "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
  "self_attn.o_proj": "attn_output",
} as const;

const bigCode: ArchitectureNames = {
  ...names({
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
  }),
  embedding: "transformer.wte",
  layers: "transformer.h",
};

/** Nemotron-H has one part a block, whatever it is. */
const mixed = {
  ...stateSpace("mixer"),
  "mixer.q_proj": "attn_q",
  "mixer.k_proj": "attn_k",
  "mixer.v_proj": "attn_v",
  "mixer.o_proj": "attn_output",
  "mixer.up_proj": "ffn_up",
  "mixer.down_proj": "ffn_down",
} as const;

/** Linear attention of Qwen3.5. */
const deltaNet = {
  "linear_attn.in_proj_qkv": "attn_qkv",
  "linear_attn.in_proj_z": "attn_gate",
  "linear_attn.in_proj_a": "ssm_alpha",
  "linear_attn.in_proj_b": "ssm_beta",
  "linear_attn.out_proj": "ssm_out",
} as const;
const valueHeads = {
  rows: { attn_qkv: "qkv-by-value-heads", attn_gate: "value-heads", ssm_alpha: "value-heads", ssm_beta: "value-heads" },
  columns: { ssm_out: "value-heads" },
} as const;

/**
 * By the name in `general.architecture`. mistral, mixtral and SmolLM2 are `llama`, olmo3 is `olmo2`, phi-4-mini is `phi3`. A
 * fixture of test/oracle holds each record; test/oracle/families.test.ts names the three that have none. Source: gguf-py tensor_mapping.py, conversion/, and the modules of transformers.
 */
const architectures: Readonly<Record<string, ArchitectureNames>> = {
  afmoe: names(attention, mlp("mlp"), shared("mlp.shared_experts"), experts("mlp"), {
    "self_attn.gate_proj": "attn_gate",
  }),
  apertus: plain,
  arcee: { ...plain, rows: rotary },
  bloom: { ...names(fusedAttention("self_attention")), ...transformer, rows: byGroup },
  chatglm: { ...fusedGate, otherLayers: "transformer.encoder.layers" },
  cohere2: plain,
  cohere2moe: names(attention, mlp("mlp"), experts("mlp")),
  "command-r": plain,
  deepseek2: names(latent, mlp("mlp"), shared("mlp.shared_experts"), experts("mlp")),
  dots1: denseAndShared,
  ernie4_5: plain,
  "ernie4_5-moe": denseAndShared,
  "exaone-moe": denseAndShared,
  exaone4: plain,
  falcon: { ...names(fusedAttention("self_attention")), ...transformer, rows: byGroup },
  "falcon-h1": names(attention, mlp("feed_forward"), stateSpace("mamba")),
  gemma: plain,
  gemma2: plain,
  gemma3: plain,
  gemma3n: plain,
  gemma4: plain,
  glm4: fusedGate,
  glm4moe: denseAndShared,
  gpt2: bigCode,
  gptneox: {
    ...names(fusedAttention("attention")),
    rows: byGroup,
    embedding: "gpt_neox.embed_in",
    head: "embed_out",
    layers: "gpt_neox.layers",
  },
  "gpt-oss": { ...names(attention, experts("mlp", "alternate")), inputsFirst: "declared" },
  granite: { ...plain, rows: rotary },
  granitehybrid: {
    ...names(attention, stateSpace("mamba"), experts("block_sparse_moe"), {
      "shared_mlp.input_linear": [
        { rows: "consecutive", to: ["ffn_gate", "ffn_up"] },
        { rows: "consecutive", to: ["ffn_gate_shexp", "ffn_up_shexp"] },
      ],
      "shared_mlp.output_linear": ["ffn_down", "ffn_down_shexp"],
    }),
    rows: rotary,
  },
  granitemoe: {
    ...names(attention, experts("block_sparse_moe"), {
      "shared_mlp.input_linear": { rows: "consecutive", to: ["ffn_gate_shexp", "ffn_up_shexp"] },
      "shared_mlp.output_linear": "ffn_down_shexp",
    }),
    rows: rotary,
  },
  "hunyuan-dense": plain,
  "hunyuan-moe": names(attention, shared("mlp.shared_mlp"), experts("mlp"), { "mlp.gate.wg": "ffn_gate_inp" }),
  jais2: plain,
  jamba: names(attention, mlp("feed_forward"), selective("mamba"), experts("feed_forward")),
  lfm2: names(shortConvolution),
  lfm2moe: names(shortConvolution, experts("feed_forward")),
  // internlm2 and mixtral are llama too.
  llama: {
    ...names(attention, mlp("mlp"), experts("mlp")),
    rows: rotary,
  },
  llama4: {
    ...names(attention, mlp("feed_forward"), shared("feed_forward.shared_expert"), experts("feed_forward")),
    inputsFirst: "undeclared",
  },
  mamba: { ...names(selective("mixer")), ...backbone },
  mamba2: { ...names(stateSpace("mixer")), ...backbone },
  "minimax-m2": names(attention, experts("mlp")),
  minicpm3: names(latent, mlp("mlp"), { "self_attn.kv_b_proj": "attn_kv_b" }),
  mistral3: { ...plain, rows: rotary },
  mpt: {
    ...names({
      "attn.Wqkv": "attn_qkv",
      "attn.out_proj": "attn_output",
      "ffn.up_proj": "ffn_up",
      "ffn.down_proj": "ffn_down",
    }),
    embedding: "transformer.wte",
    layers: "transformer.blocks",
  },
  nemotron: plain,
  nemotron_h: { ...names(mixed), rows: rotary, otherLayers: "backbone.layers" },
  nemotron_h_moe: { ...names(mixed), rows: rotary, otherLayers: "backbone.layers" },
  olmo: { ...plain, rows: rotary },
  olmo2: plain,
  olmoe: names(attention, experts("mlp")),
  phi2: {
    ...names({
      "self_attn.q_proj": "attn_q",
      "self_attn.k_proj": "attn_k",
      "self_attn.v_proj": "attn_v",
      "self_attn.dense": "attn_output",
      "mlp.fc1": "ffn_up",
      "mlp.fc2": "ffn_down",
    }),
    otherLayers: "transformer.h",
  },
  phi3: names({
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
  }),
  phimoe: names(attention, experts("mlp")),
  qwen2: plain,
  qwen2vl: { ...plain, ...visionText },
  qwen2moe: names(attention, mlp("mlp"), shared("mlp.shared_expert"), experts("mlp")),
  qwen3: plain,
  qwen35: { ...names(attention, mlp("mlp"), deltaNet), ...valueHeads },
  qwen35moe: { ...names(attention, shared("mlp.shared_expert"), experts("mlp"), deltaNet), ...valueHeads },
  qwen3next: names(attention, mlp("mlp"), shared("mlp.shared_expert"), experts("mlp"), {
    "linear_attn.in_proj_qkvz": { rows: "by-key-head", to: ["attn_qkv", "attn_gate"] },
    "linear_attn.in_proj_ba": "ssm_ba",
    "linear_attn.out_proj": "ssm_out",
  }),
  qwen3moe: names(attention, mlp("mlp"), experts("mlp")),
  qwen3vl: { ...plain, ...visionText },
  qwen3vlmoe: { ...names(attention, mlp("mlp"), experts("mlp")), ...visionText },
  seed_oss: plain,
  smollm3: { ...plain, rows: rotary },
  stablelm: plain,
  starcoder: bigCode,
  starcoder2: names(attention, { "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down" }),
};

/** Architectures whose adapters can be converted, sorted. */
export const knownArchitectures: readonly string[] = Object.keys(architectures).sort();

/** Names of an architecture, or undefined when it is not one of {@link knownArchitectures}. */
export function architectureNames(architecture: string): ArchitectureNames | undefined {
  return architectures[architecture];
}

/** What a module is in an architecture, by today's name or by another. @param inBlock with `*` for the number of an expert. */
export function moduleTarget(inBlock: string, { modules }: ArchitectureNames): ModuleTarget | undefined {
  return modules[inBlock] ?? otherNames[inBlock];
}

/** Whether a list of blocks, as {@link placeOfPath} has it, is the architecture's. */
export function isBlockList(list: string, { layers, otherLayers }: ArchitectureNames): boolean {
  return [layers, otherLayers].some((path) => {
    const place = placeOfPath(`${path ?? ""}.0.module`);
    return place.kind === "block" && place.list === list;
  });
}
