/** How the modules of one architecture are called on both sides, and what the upstream converter does to the base's rows. */
export interface ArchitectureNames {
  /** Name of the module in a decoder block on the Hugging Face side (behind `layers.N.`) to its GGUF name (behind `blk.N.`). */
  readonly modules: Readonly<Record<string, string>>;
  /**
   * Whether the converter reorders the rows of q and k from the "half" to the "interleaved" rotary layout, so that B of an adapter
   * must follow. Source: llama.cpp conversion/llama.py, LlamaModel.permute.
   */
  readonly permutesQk: boolean;
  /** Path of the token embedding and of the head on the Hugging Face side. */
  readonly embedding: string;
  readonly head: string;
  readonly layers: string;
}

const attention = {
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
} as const;

const gatedFeedForward = {
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
} as const;

const common = { embedding: "model.embed_tokens", head: "lm_head", layers: "model.layers" } as const;
const plain = { modules: { ...attention, ...gatedFeedForward }, permutesQk: false, ...common } as const;

/** By the name in `general.architecture`. mistral and SmolLM2 are `llama`. Source: gguf-py tensor_mapping.py and conversion/. */
const architectures: Readonly<Record<string, ArchitectureNames>> = {
  llama: { ...plain, permutesQk: true },
  qwen2: plain,
  qwen3: plain,
  gemma2: plain,
  gemma3: plain,
  phi3: {
    modules: {
      "self_attn.qkv_proj": "attn_qkv",
      "self_attn.o_proj": "attn_output",
      "mlp.gate_up_proj": "ffn_up",
      "mlp.down_proj": "ffn_down",
    },
    permutesQk: false,
    ...common,
  },
  phi2: {
    modules: {
      "self_attn.q_proj": "attn_q",
      "self_attn.k_proj": "attn_k",
      "self_attn.v_proj": "attn_v",
      "self_attn.dense": "attn_output",
      "mlp.fc1": "ffn_up",
      "mlp.fc2": "ffn_down",
    },
    permutesQk: false,
    ...common,
  },
};

/** Architectures whose adapters can be converted, sorted. */
export const knownArchitectures: readonly string[] = Object.keys(architectures).sort();

/** Names of an architecture, or undefined when it is not one of {@link knownArchitectures}. */
export function architectureNames(architecture: string): ArchitectureNames | undefined {
  return architectures[architecture];
}
