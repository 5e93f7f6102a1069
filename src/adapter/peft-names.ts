/** What the name of a tensor in a PEFT file says. */
export type PeftTensorName =
  | { readonly kind: "lora"; readonly modulePath: string; readonly half: "a" | "b"; readonly embedding: boolean }
  | { readonly kind: "base-copy" | "magnitude" | "bias" | "token-delta" | "whole-weight" | "unknown" };

/** Prefixes under which PEFT versions, wrappers and Unsloth store the same module. */
const PREFIX = /^(?:_fsdp_wrapped_module\.|_orig_mod\.|module\.)*(?:base_model\.model\.|base_model\.)?(?:_orig_mod\.)?/;

/**
 * Reads a tensor's name: `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`, with or without the prefix, with the
 * adapter's name (`lora_A.default.weight`), and the embedding's `lora_embedding_A`. Copies of base weights that PEFT writes beside
 * embedding adapters are told apart, and so is everything that is not plain LoRA.
 */
export function parsePeftName(name: string): PeftTensorName {
  const path = name.replace(PREFIX, "");
  const linear = /^(.+)\.lora_([AB])(?:\.[^.]+)?\.weight$/.exec(path);
  if (linear?.[1] !== undefined)
    return { kind: "lora", modulePath: plainPath(linear[1]), half: linear[2] === "A" ? "a" : "b", embedding: false };
  const embedding = /^(.+)\.lora_embedding_([AB])(?:\.[^.]+)?(?:\.weight)?$/.exec(path);
  if (embedding?.[1] !== undefined)
    return {
      kind: "lora",
      modulePath: plainPath(embedding[1]),
      half: embedding[2] === "A" ? "a" : "b",
      embedding: true,
    };
  if (/lora_magnitude_vector/.test(path)) return { kind: "magnitude" };
  if (/token_adapter|trainable_tokens/.test(path)) return { kind: "token-delta" };
  if (/\.lora_[AB](?:\.[^.]+)?\.bias$/.test(path)) return { kind: "bias" };
  if (/\.base_layer\.(weight|bias)$/.test(path)) return { kind: "base-copy" };
  if (/\.modules_to_save\./.test(path)) return { kind: "whole-weight" };
  if (/\.bias$/.test(path)) return { kind: "bias" };
  return { kind: /\.weight$/.test(path) ? "whole-weight" : "unknown" };
}

/** A module that PEFT wrapped twice keeps `base_layer` in its path; some tools leave the model's own prefix out. */
function plainPath(path: string): string {
  const unwrapped = path.replaceAll(".base_layer", "");
  return /^(?:layers|embed_tokens)\b/.test(unwrapped) ? `model.${unwrapped}` : unwrapped;
}

/** The decoder block that a module path lies in, or undefined outside the blocks. The first number after a layer list counts. */
export function layerOfPath(modulePath: string): number | undefined {
  const match = /(?:^|\.)(?:layers|h|blocks|block|layer)\.(\d{1,6})\./.exec(modulePath);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** Last part of a module path, such as `q_proj`. */
export function shortName(modulePath: string): string {
  return modulePath.slice(modulePath.lastIndexOf(".") + 1);
}
