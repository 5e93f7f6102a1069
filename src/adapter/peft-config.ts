import { join } from "node:path";
import { z } from "zod";
import { AdapterError, FormatError } from "../errors.js";
import { assertNotPlaceholder } from "../formats/placeholder-file.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import type { Findings } from "./finding.js";
import { foreignParts } from "./foreign-layout.js";
import { isLowRankKind } from "./low-rank-kinds.js";
import { partOf } from "./peft-places.js";

/** AdaLoRA has lists of kept ranks there. */
const patternSchema = z.record(z.string(), z.union([z.number(), z.array(z.unknown())])).nullish();

/** What is read of PEFT's adapter_config.json; all else is kept as it is. Source: peft/tuners/lora/config.py, LoraConfig. */
const configSchema = z.looseObject({
  peft_type: z.string(),
  r: z.number().int().positive().optional(),
  lora_alpha: z.number().optional(),
  /** Of LoHa and LoKr. */
  alpha: z.number().optional(),
  use_rslora: z.boolean().nullish(),
  use_dora: z.boolean().nullish(),
  lora_bias: z.boolean().nullish(),
  bias: z.string().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  rank_pattern: patternSchema,
  alpha_pattern: patternSchema,
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  exclude_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  layers_to_transform: z.union([z.number().int(), z.array(z.number().int())]).nullish(),
  layers_pattern: z.union([z.string(), z.array(z.string())]).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  trainable_token_indices: z.unknown().optional(),
  alora_invocation_tokens: z.array(z.number()).nullish(),
  target_parameters: z.array(z.string()).nullish(),
  layer_replication: z.unknown().optional(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
  base_model_name_or_path: z.string().nullish(),
  peft_version: z.string().nullish(),
});

/** PEFT's adapter_config.json, checked as far as it is used. */
export type PeftConfig = z.output<typeof configSchema>;

/**
 * Reads adapter_config.json of a PEFT folder.
 * @throws FileError when it cannot be read, FormatError when it is not what PEFT writes, AdapterError when mlx-lm wrote it.
 */
export async function readPeftConfig(folder: string): Promise<PeftConfig> {
  const path = join(folder, "adapter_config.json");
  const text = await readWholeText(path, CONFIG_BYTES);
  assertNotPlaceholder(text, path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
    return configSchema.parse(parsed);
  } catch (cause) {
    if (isMlxConfig(parsed)) throw new AdapterError(folder, foreignParts("mlx", folder));
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    throw new FormatError(path, {
      what: `${path} is not a PEFT adapter configuration`,
      actual: issue
        ? `${issue.path.join(".")}: ${issue.message}`
        : cause instanceof Error
          ? cause.message
          : String(cause),
      expected: "the adapter_config.json that PEFT's save_pretrained writes",
      cause,
    });
  }
}

/** mlx-lm writes a file of the same name. Source: mlx_lm/lora.py, CONFIG_DEFAULTS. */
function isMlxConfig(value: unknown): boolean {
  if (typeof value !== "object" || value === null || "peft_type" in value) return false;
  return "fine_tune_type" in value || "lora_parameters" in value || "lora_layers" in value;
}

/** Initialisations that change the base model's own weights, so that the adapter is wrong on the plain base. */
const BASE_CHANGING_INITS = /^(pissa|loftq|olora|corda|lora_ga)/i;

/** Names everything in a configuration that llama.cpp cannot compute, or that a user should know. */
export function examinePeftConfig(config: PeftConfig, findings: Findings): void {
  const kind = config.peft_type.toUpperCase();
  if (kind !== "LORA") {
    if (isLowRankKind(kind)) return;
    findings.error(
      "not-lora",
      `This is an adapter of the kind ${config.peft_type}, which is not a low-rank update of the weights.`,
      "llama.cpp applies only LoRA: merge the adapter into the base with PEFT's merge_and_unload(), where PEFT can, and convert the merged model.",
    );
    return;
  }
  const merge = "Merge it into the base with `boundary merge`.";
  const mergeByPeft = "Merge it into the base with PEFT's merge_and_unload() and convert the merged model.";
  if (config.use_dora === true)
    findings.error(
      "dora",
      "DoRA rescales each weight by a trained magnitude, which llama.cpp does not compute.",
      merge,
    );
  if (config.lora_bias === true)
    findings.error("lora-bias", "lora_bias trained a bias in the adapter, which llama.cpp does not apply.", merge);
  // Weights of another tower are left out by name when the tensors are read.
  const saved = (config.modules_to_save ?? []).filter((name) => partOf(name) === undefined);
  if (saved.length > 0) {
    findings.error(
      "modules-to-save",
      `modules_to_save holds whole trained weights (${saved.join(", ")}), which an adapter file cannot carry.`,
      merge,
    );
  }
  if (isNonEmpty(config.trainable_token_indices))
    findings.error("trainable-tokens", "trainable_token_indices changed rows of the embedding.", merge);
  if (config.alora_invocation_tokens) {
    findings.error(
      "alora",
      "An activated LoRA only acts behind its invocation tokens; applied everywhere it gives other answers.",
      "Serve it with a server that knows aLoRA.",
    );
  }
  if (isNonEmpty(config.layer_replication))
    findings.error("layer-replication", "layer_replication repeats layers of the base.", mergeByPeft);
  if (config["use_qalora"] === true || Boolean(config["use_bdlora"]))
    findings.error(
      "variant",
      "A variant of LoRA (QALoRA or BD-LoRA) whose shapes llama.cpp does not know.",
      mergeByPeft,
    );
  if (config.fan_in_fan_out === true)
    findings.warning(
      "fan-in-fan-out",
      "fan_in_fan_out is set: the base stores its weights transposed. Shapes are checked against the model.",
    );
  if (typeof config.init_lora_weights === "string" && BASE_CHANGING_INITS.test(config.init_lora_weights)) {
    findings.warning(
      "changed-base",
      `init_lora_weights is ${config.init_lora_weights}: training also changed the base, and on the plain base this adapter is wrong.`,
      "Use the base that was saved with it, or convert the adapter to plain LoRA (path_initial_model_for_weight_conversion in PEFT).",
    );
  }
  if (config.bias !== undefined && config.bias !== null && config.bias !== "none") {
    findings.warning(
      "bias",
      `bias is ${JSON.stringify(config.bias)}: training may have changed biases of the base, which an adapter file cannot carry.`,
      merge,
    );
  }
}

function isNonEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === "object" ? Object.keys(value).length > 0 : true;
}
