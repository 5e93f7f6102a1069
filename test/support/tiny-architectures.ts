import { join } from "node:path";
import { writeGguf } from "../../src/formats/gguf-writer.js";
import type { GgufMetadata, GgufValue } from "../../src/formats/gguf-value.js";
import { byteVocabulary, CHATML, float32, gaussian, tensor, text, tokenizerMetadata, uint32 } from "./tiny-model.js";

/** Random models of architectures with experts, latent attention, recurrent layers or both kinds of layer. Source of names and shapes: llama.cpp, src/models/*.cpp, load_arch_tensors. */
export const unusualArchitectures = [
  "deepseek2",
  "qwen3moe",
  "mamba",
  "mamba2",
  "jamba",
  "falcon-h1",
  "granitehybrid",
  "lfm2",
  "nemotron_h",
] as const;
export type UnusualArchitecture = (typeof unusualArchitectures)[number];

/** Tensors of a block by name, with their dims; values are those of a matrix unless the name says otherwise. */
type Block = Readonly<Record<string, readonly number[]>>;
interface Recipe {
  readonly keys: Readonly<Record<string, number | readonly number[]>>;
  readonly block: (layer: number) => Block;
  /** Tensors beside the blocks, embedding and head. */
  readonly more?: Block;
  /** Name of the norm before the head. */
  readonly outputNorm?: string;
}

const D = 32;
const FF = 64;
const LAYERS = 4;
const HEADS = 4;
const KV = 16;
const INNER = 64;
const STATE = 16;
const EXPERTS = 4;
const EXPERT_FF = 16;

const attention: Block = {
  "attn_q.weight": [D, D],
  "attn_k.weight": [D, KV],
  "attn_v.weight": [D, KV],
  "attn_output.weight": [D, D],
};
const feedForwardAlone: Block = { "ffn_gate.weight": [D, FF], "ffn_up.weight": [D, FF], "ffn_down.weight": [FF, D] };
const feedForward: Block = { "ffn_norm.weight": [D], ...feedForwardAlone };
const experts: Block = {
  "ffn_norm.weight": [D],
  "ffn_gate_inp.weight": [D, EXPERTS],
  "ffn_gate_exps.weight": [D, EXPERT_FF, EXPERTS],
  "ffn_up_exps.weight": [D, EXPERT_FF, EXPERTS],
  "ffn_down_exps.weight": [EXPERT_FF, D, EXPERTS],
};
const norm: Block = { "attn_norm.weight": [D] };
const stateSpace = { "ssm.conv_kernel": 4, "ssm.inner_size": INNER, "ssm.state_size": STATE };

/** Mamba 2's mixer: heads of 8, one group. */
const CONVOLVED = INNER + 2 * STATE;
const SSM_HEADS = 8;
const mamba2: Block = {
  "ssm_in.weight": [D, INNER + CONVOLVED + SSM_HEADS],
  "ssm_conv1d.weight": [4, CONVOLVED],
  "ssm_conv1d.bias": [CONVOLVED],
  "ssm_dt.bias": [SSM_HEADS],
  ssm_a: [1, SSM_HEADS],
  ssm_d: [1, SSM_HEADS],
  "ssm_norm.weight": [INNER, 1],
  "ssm_out.weight": [INNER, D],
};
const mamba2Keys = { ...stateSpace, "ssm.time_step_rank": SSM_HEADS, "ssm.group_count": 1 };
/** Mamba 1's mixer. */
const STEP_RANK = 4;
const mamba1: Block = {
  "ssm_in.weight": [D, 2 * INNER],
  "ssm_conv1d.weight": [4, INNER],
  "ssm_conv1d.bias": [INNER],
  "ssm_x.weight": [INNER, STEP_RANK + 2 * STATE],
  "ssm_dt.weight": [STEP_RANK, INNER],
  "ssm_dt.bias": [INNER],
  ssm_a: [STATE, INNER],
  ssm_d: [INNER],
  "ssm_out.weight": [INNER, D],
};
const mamba1Keys = { ...stateSpace, "ssm.time_step_rank": STEP_RANK };
const isOdd = (layer: number): boolean => layer % 2 === 1;
const everyOther = { "attention.head_count": HEADS, "attention.head_count_kv": [0, 2, 0, 2] };

const recipes: Readonly<Record<UnusualArchitecture, Recipe>> = {
  deepseek2: {
    keys: {
      ...{ "attention.head_count": HEADS, "attention.head_count_kv": 1, "rope.dimension_count": 8 },
      ...{ "attention.q_lora_rank": 12, "attention.kv_lora_rank": 16, "attention.key_length": 24 },
      ...{ "attention.value_length": 16, "attention.key_length_mla": 16, "attention.value_length_mla": 8 },
      ...{ leading_dense_block_count: 1, expert_count: EXPERTS, expert_used_count: 2, expert_shared_count: 1 },
      ...{ expert_feed_forward_length: EXPERT_FF },
    },
    block: (layer) => ({
      ...norm,
      "attn_q_a_norm.weight": [12],
      "attn_kv_a_norm.weight": [16],
      "attn_q_a.weight": [D, 12],
      "attn_q_b.weight": [12, HEADS * 16],
      "attn_kv_a_mqa.weight": [D, 24],
      "attn_k_b.weight": [8, 16, HEADS],
      "attn_v_b.weight": [16, 8, HEADS],
      "attn_output.weight": [HEADS * 8, D],
      ...(layer === 0
        ? feedForward
        : {
            ...experts,
            "ffn_gate_shexp.weight": [D, EXPERT_FF],
            "ffn_up_shexp.weight": [D, EXPERT_FF],
            "ffn_down_shexp.weight": [EXPERT_FF, D],
          }),
    }),
  },
  qwen3moe: {
    keys: {
      ...{ "attention.head_count": HEADS, "attention.head_count_kv": 2, "attention.key_length": 8 },
      ...{ "attention.value_length": 8, expert_count: EXPERTS, expert_used_count: 2 },
      ...{ expert_feed_forward_length: EXPERT_FF },
    },
    block: () => ({ ...norm, ...attention, "attn_q_norm.weight": [8], "attn_k_norm.weight": [8], ...experts }),
  },
  mamba: { keys: { ...mamba1Keys, "attention.head_count": 0 }, block: () => ({ ...norm, ...mamba1 }) },
  mamba2: { keys: { ...mamba2Keys, "attention.head_count": 0 }, block: () => ({ ...norm, ...mamba2 }) },
  jamba: {
    keys: { ...mamba1Keys, ...everyOther },
    block: (layer) => ({
      ...norm,
      ...feedForward,
      ...(isOdd(layer)
        ? attention
        : {
            ...mamba1,
            "ssm_dt_norm.weight": [STEP_RANK],
            "ssm_b_norm.weight": [STATE],
            "ssm_c_norm.weight": [STATE],
          }),
    }),
  },
  "falcon-h1": {
    keys: { ...mamba2Keys, "attention.head_count": HEADS, "attention.head_count_kv": 2 },
    block: () => ({ ...norm, ...attention, ...mamba2, ...feedForwardAlone, ffn_norm: [D] }),
  },
  granitehybrid: {
    keys: { ...mamba2Keys, ...everyOther },
    block: (layer) => ({ ...norm, ...(isOdd(layer) ? attention : mamba2), ...feedForward }),
  },
  lfm2: {
    keys: { ...everyOther, "shortconv.l_cache": 3 },
    outputNorm: "token_embd_norm.weight",
    block: (layer) => ({
      ...norm,
      ...feedForward,
      ...(isOdd(layer)
        ? { ...attention, "attn_q_norm.weight": [8], "attn_k_norm.weight": [8] }
        : {
            "shortconv.conv.weight": [3, D],
            "shortconv.in_proj.weight": [D, 3 * D],
            "shortconv.out_proj.weight": [D, D],
          }),
    }),
  },
  nemotron_h: {
    keys: {
      ...{ ...mamba2Keys, "attention.head_count": HEADS, "attention.head_count_kv": [0, 0, 2, 0] },
      feed_forward_length: [0, FF, 0, FF],
    },
    block: (layer) => ({
      ...norm,
      ...(layer === 0 ? mamba2 : layer === 2 ? attention : { "ffn_up.weight": [D, FF], "ffn_down.weight": [FF, D] }),
    }),
  },
};

/** Writes a random model of four layers that llama.cpp loads: 32 dimensions, byte-level vocabulary, a head of its own. Returns its path. */
export async function writeUnusualModel(
  folder: string,
  architecture: UnusualArchitecture,
  { seed = 1 }: { seed?: number } = {},
): Promise<string> {
  const { keys, block, more = {}, outputNorm = "output_norm.weight" } = recipes[architecture];
  const random = gaussian(seed);
  const vocabulary = byteVocabulary(architecture);
  const path = join(folder, `${architecture}.gguf`);
  const names: Block = {
    "token_embd.weight": [D, vocabulary.tokens.length],
    "output.weight": [D, vocabulary.tokens.length],
    [outputNorm]: [D],
    ...more,
  };
  const blocks = Array.from({ length: LAYERS }, (_, layer) =>
    Object.entries(block(layer)).map(([name, dims]) => [`blk.${layer}.${name}`, dims] as const),
  );
  const tensors = [...Object.entries(names), ...blocks.flat()].map(([name, dims]) => tensorOf(name, dims, random));
  const shared = { block_count: LAYERS, context_length: 512, embedding_length: D, feed_forward_length: FF };
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("model")],
    ["general.name", text(`tiny ${architecture}`)],
    ...Object.entries({ ...shared, ...keys }).map(([name, value]): [string, GgufValue] => [
      `${architecture}.${name}`,
      typeof value === "number" ? uint32(value) : { type: "array", itemType: "uint32", value },
    ]),
    [`${architecture}.attention.layer_norm_rms_epsilon`, float32(1e-5)],
    [`${architecture}.attention.layer_norm_epsilon`, float32(1e-5)],
    ...tokenizerMetadata(vocabulary),
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: false }],
    ["tokenizer.chat_template", text(CHATML)],
  ]);
  await writeGguf(path, metadata, tensors, { overwrite: true });
  return path;
}

function tensorOf(name: string, dims: readonly number[], random: () => number): ReturnType<typeof tensor> {
  if (name.endsWith("norm.weight") || name.endsWith("ffn_norm") || /norm_2\.weight$|_ln\.weight$/.test(name)) {
    return tensor(name, dims, () => 1, 1);
  }
  // A state decays: its A is negative.
  if (name.endsWith("ssm_a")) return tensor(name, dims, () => -0.5 - Math.abs(random()), 1);
  if (name === "token_embd.weight" || name === "output.weight") return tensor(name, dims, random, 1);
  const inputs = dims.length === 1 ? 4 : (dims[0] ?? 1);
  return tensor(name, dims, random, 1 / Math.sqrt(inputs));
}
