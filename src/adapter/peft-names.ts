/** What the name of a tensor in a PEFT file says. */
export type PeftTensorName =
  | {
      readonly kind: "lora";
      readonly modulePath: string;
      readonly half: "a" | "b";
      readonly embedding: boolean;
      /** How many wrappers lie around the module below this one: PEFT wraps a module once for each adapted parameter. */
      readonly depth: number;
    }
  | {
      readonly kind: "base-copy" | "magnitude" | "bias" | "token-delta" | "whole-weight" | "unknown";
      /** The name without PEFT's prefix. */
      readonly path: string;
    };

/** Prefixes under which PEFT versions, wrappers and Unsloth store the same module. */
const PREFIX = /^(?:module\.)*(?:base_model\.model\.|base_model\.)?/;
/** Names that wrappers of training put between the parts of a path, wherever they wrap: torch.compile, FSDP, activation checkpointing. */
const WRAPPERS = /(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;

/**
 * Reads a tensor's name: `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`, with or without the prefix, with the
 * adapter's name (`lora_A.default.weight`), and the embedding's `lora_embedding_A`. Copies of base weights that PEFT writes beside
 * embedding adapters are told apart, and so is everything that is not plain LoRA.
 */
export function parsePeftName(name: string): PeftTensorName {
  const path = name.replace(WRAPPERS, "").replace(PREFIX, "");
  const linear = /^(.+)\.lora_([AB])(?:\.[^.]+)?\.weight$/.exec(path);
  if (linear?.[1] !== undefined)
    return {
      kind: "lora",
      modulePath: plainPath(linear[1]),
      half: linear[2] === "A" ? "a" : "b",
      embedding: false,
      depth: wrappersOf(linear[1]),
    };
  const embedding = /^(.+)\.lora_embedding_([AB])(?:\.[^.]+)?(?:\.weight)?$/.exec(path);
  if (embedding?.[1] !== undefined)
    return {
      kind: "lora",
      modulePath: plainPath(embedding[1]),
      half: embedding[2] === "A" ? "a" : "b",
      embedding: true,
      depth: wrappersOf(embedding[1]),
    };
  return { kind: oddKind(path), path };
}

function oddKind(path: string): Exclude<PeftTensorName["kind"], "lora"> {
  if (/lora_magnitude_vector/.test(path)) return "magnitude";
  if (/token_adapter|trainable_tokens/.test(path)) return "token-delta";
  if (/\.lora_[AB](?:\.[^.]+)?\.bias$/.test(path)) return "bias";
  if (/\.base_layer\.(weight|bias)$/.test(path)) return "base-copy";
  if (/\.modules_to_save\./.test(path)) return "whole-weight";
  if (/\.bias$/.test(path)) return "bias";
  return /\.weight$/.test(path) ? "whole-weight" : "unknown";
}

function wrappersOf(path: string): number {
  return path.split(".base_layer").length - 1;
}

/** The path of a module without the prefixes and wrappers of PEFT and of training. */
export function modulePathOf(name: string): string {
  return plainPath(name.replace(WRAPPERS, "").replace(PREFIX, ""));
}

/** A module that PEFT wrapped twice keeps `base_layer` in its path; some tools leave the model's own prefix out. */
function plainPath(path: string): string {
  const unwrapped = path.replaceAll(".base_layer", "");
  return /^(?:layers|embed_tokens)\b/.test(unwrapped) ? `model.${unwrapped}` : unwrapped;
}

/** The name under which PEFT itself stores half of a module, so that `PeftModel.from_pretrained` finds it. @param depth as {@link PeftTensorName} has it. */
export function peftTensorName(modulePath: string, half: "A" | "B", isEmbedding: boolean, depth = 0): string {
  return `base_model.model.${modulePath}${".base_layer".repeat(depth)}.${isEmbedding ? `lora_embedding_${half}` : `lora_${half}.weight`}`;
}

/** Last part of a module path, such as `q_proj`. */
export function shortName(modulePath: string): string {
  return modulePath.slice(modulePath.lastIndexOf(".") + 1);
}
