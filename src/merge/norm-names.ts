import type { BaseModel } from "../adapter/base-model.js";

/**
 * Norms of a block, by the last part of their paths in transformers, to their names behind `blk.N.`: of several the first that the base
 * has. Source: gguf-py/gguf/tensor_mapping.py.
 */
const inBlocks: Readonly<Record<string, readonly string[]>> = {
  input_layernorm: ["attn_norm"],
  attention_layernorm: ["attn_norm"],
  ln_1: ["attn_norm"],
  operator_norm: ["attn_norm"],
  post_self_attn_layernorm: ["post_attention_norm"],
  post_attention_layernorm: ["post_attention_norm", "ffn_norm"],
  pre_feedforward_layernorm: ["ffn_norm"],
  feedforward_layernorm: ["ffn_norm"],
  ffn_norm: ["ffn_norm"],
  ln_2: ["ffn_norm"],
  post_feedforward_layernorm: ["post_ffw_norm"],
  post_mlp_layernorm: ["post_ffw_norm"],
  q_norm: ["attn_q_norm"],
  k_norm: ["attn_k_norm"],
  query_layernorm: ["attn_q_norm"],
  key_layernorm: ["attn_k_norm"],
};

/** Where a name means another norm: GLM-4 has one behind each part of a block. */
const exceptions: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  glm4: { post_attention_layernorm: "ffn_norm" },
};

const OUTPUT =
  /^(?:(?:model|language_model|transformer|backbone|gpt_neox)\.)*(?:norm|ln_f|final_layernorm|final_layer_norm|norm_f|embedding_norm)$/;

/** Name of the weight of a norm, or undefined where it is none, or the base has none. @param path in its block, or whole outside the blocks. */
export function normName(path: string, layer: number | undefined, base: BaseModel): string | undefined {
  if (layer === undefined)
    return OUTPUT.test(path) && base.shapes.has("output_norm.weight") ? "output_norm.weight" : undefined;
  const last = path.slice(path.lastIndexOf(".") + 1);
  const exception = exceptions[base.architecture]?.[last];
  const names = exception === undefined ? (inBlocks[last] ?? []) : [exception];
  return names.map((name) => `blk.${layer}.${name}.weight`).find((name) => base.shapes.has(name));
}

/** Architectures whose norms transformers stores less 1. Source: conversion/gemma.py, nemotron.py and qwen.py. */
const LESS_ONE = new Set(["gemma", "gemma2", "gemma3", "nemotron", "qwen3next", "qwen35", "qwen35moe"]);

/** What llama.cpp's converter adds to the weights of a norm. */
export function normOffset(architecture: string, path: string): number {
  return LESS_ONE.has(architecture) && !/linear_attn\.norm$/.test(path) ? 1 : 0;
}
