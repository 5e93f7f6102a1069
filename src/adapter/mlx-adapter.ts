import { join } from "node:path";
import { z } from "zod";
import { FormatError } from "../errors.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import { parsedJson } from "../parsed-json.js";
import { storedFactor, transposedFactor } from "./factor.js";
import type { Findings } from "./finding.js";
import type { ExtraTensor, PeftModule, ReadModules } from "./peft-adapter.js";
import { OtherParts } from "./other-parts.js";
import type { PeftConfig } from "./peft-config.js";
import { modulePathOf, shortName } from "./peft-names.js";
import { placeOfPath } from "./peft-places.js";
import { configTargets } from "./peft-targets.js";
import { expertsFromStack } from "./expert-factors.js";

const mlxSchema = z.looseObject({
  fine_tune_type: z.string().optional(),
  lora_parameters: z
    .looseObject({ rank: z.number().int().positive(), scale: z.number(), alpha: z.number().optional() })
    .optional(),
  num_layers: z.number().int().optional(),
  lora_layers: z.number().int().optional(),
  model: z.string().optional(),
  /** mlx-vlm before it took over mlx-lm's layout. */
  rank: z.number().int().positive().optional(),
  alpha: z.number().optional(),
});

/** The adapter_config.json that mlx-lm or mlx-vlm writes. */
export type MlxConfig = z.output<typeof mlxSchema>;

/**
 * Reads adapter_config.json where mlx-lm or mlx-vlm wrote it; undefined where it is PEFT's or cannot be read as JSON.
 * Source: mlx_lm/lora.py and mlx_lm/tuner/utils.py (load_adapters); mlx_vlm/trainer/peft/utils.py.
 * @throws FileError when it cannot be read, FormatError when it lacks what the update is computed with.
 */
export async function readMlxConfig(folder: string): Promise<MlxConfig | undefined> {
  const path = join(folder, "adapter_config.json");
  const parsed = parsedJson(await readWholeText(path, CONFIG_BYTES));
  if (!isMlxConfig(parsed)) return undefined;
  const config = mlxSchema.safeParse(parsed);
  if (config.success && (config.data.lora_parameters || config.data.rank !== undefined || !isLora(config.data)))
    return config.data;
  const issue = config.error?.issues[0];
  throw new FormatError(path, {
    what: `${path} is not a complete configuration of mlx-lm`,
    actual: issue ? `${issue.path.join(".")}: ${issue.message}` : "no lora_parameters",
    expected: "lora_parameters with rank and scale",
    fix: "Copy the adapter_config.json that mlx-lm wrote when it trained the adapter.",
  });
}

function isMlxConfig(value: unknown): boolean {
  if (typeof value !== "object" || value === null || "peft_type" in value) return false;
  const isVlm = "rank" in value && "alpha" in value && "dropout" in value;
  return "fine_tune_type" in value || "lora_parameters" in value || "lora_layers" in value || isVlm;
}

function isLora({ fine_tune_type: kind = "lora" }: MlxConfig): boolean {
  return kind === "lora";
}

/**
 * What the tensors of an mlx-lm adapter are, in PEFT's terms: A and B are the transposes of `lora_a` [in, rank] and `lora_b` [rank, out],
 * and alpha is the scale times the rank. Source: mlx_lm/tuner/lora.py.
 */
export function mlxModules(mlx: MlxConfig, tensors: readonly SafetensorsTensor[], findings: Findings): ReadModules {
  const given = mlx.lora_parameters;
  const rank = given?.rank ?? mlx.rank ?? 8;
  const scale = given?.scale ?? mlx.alpha ?? 1;
  const config: PeftConfig = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: mlx.model ?? "",
    r: rank,
    lora_alpha: scale * rank,
  };
  reportKind(mlx, findings);
  const halves = new Map<string, { a?: SafetensorsTensor; b?: SafetensorsTensor }>();
  const extras: ExtraTensor[] = [];
  const others = new OtherParts();
  for (const tensor of tensors) {
    const [, path, half] = /^(.+)\.(?:lora_([ab])|[AB])$/.exec(tensor.name) ?? [];
    const modulePath = modulePathOf(path ?? tensor.name);
    if (others.take(modulePath)) continue;
    if (path === undefined) {
      extras.push({ kind: /\.m$/.test(tensor.name) ? "magnitude" : "unknown", path: tensor.name, tensor });
      continue;
    }
    const pair = halves.get(modulePath) ?? {};
    const isA = half === "a" || (half === undefined && tensor.name.endsWith(".A"));
    halves.set(modulePath, { ...pair, [isA ? "a" : "b"]: tensor });
  }
  others.report(findings, halves.size === 0 && extras.length === 0);
  if (extras.length > 0 && isLora(mlx)) {
    const names = extras.slice(0, 2).map(({ path }) => path);
    findings.error(
      "unknown-tensor",
      `The file holds ${extras.length} trained tensors that are not LoRA's: ${names.join(", ")}.`,
      "Fuse the adapter into the model with `mlx_lm.fuse --dequantize` and convert that.",
    );
  }
  const modules = [...halves].flatMap(([modulePath, pair]) => mlxModule(modulePath, pair, rank, scale, findings));
  return { config: { ...config, ...configTargets(modules) }, modules, ignored: others.paths, extras };
}

function reportKind(mlx: MlxConfig, findings: Findings): void {
  const kind = mlx.fine_tune_type ?? "lora";
  if (kind === "dora")
    findings.error(
      "dora",
      "This mlx-lm adapter is DoRA, which rescales each weight by a trained magnitude. llama.cpp does not compute that.",
      "Fuse it into the model with `mlx_lm.fuse --dequantize` and convert the fused model to GGUF.",
    );
  else if (kind !== "lora")
    findings.error(
      "not-lora",
      `This is a ${kind} fine-tune of mlx-lm: it holds whole weights.`,
      "Fuse it into the model with `mlx_lm.fuse --dequantize` and convert the fused model to GGUF.",
    );
  const { alpha, rank = 8, scale = 1 } = mlx.lora_parameters ?? {};
  if (alpha !== undefined && alpha !== rank)
    findings.warning(
      "mlx-alpha",
      `lora_parameters holds alpha ${alpha}. mlx-lm of early 2024 multiplied the scale by alpha/rank; today's mlx-lm ignores it, and so does boundary.`,
      `If the adapter was trained with such a version, set scale to ${(scale * alpha) / rank} in adapter_config.json.`,
    );
}

function mlxModule(
  modulePath: string,
  { a, b }: { a?: SafetensorsTensor; b?: SafetensorsTensor },
  configured: number,
  scale: number,
  findings: Findings,
): PeftModule[] {
  const place = placeOfPath(modulePath);
  if (place.kind === "unknown" || place.kind === "other-part") {
    findings.error(
      "unknown-module",
      `The text decoder has no place for ${modulePath}.`,
      "Train without such modules, or fuse the adapter into the model with `mlx_lm.fuse`.",
    );
    return [];
  }
  if (!a || !b) {
    findings.error(
      "no-partner",
      `${modulePath} has only lora_${a ? "a" : "b"}.`,
      "The file is incomplete: export the adapter again.",
    );
    return [];
  }
  const factors = place.kind === "block" && b.shape.length === 3 ? expertPair(a, b) : plainPair(a, b);
  if (!factors) {
    const shapes = `lora_a [${a.shape.join(", ")}] and lora_b [${b.shape.join(", ")}]`;
    findings.error(
      "shape",
      `${modulePath}: ${shapes} do not fit each other.`,
      "The file is damaged: export the adapter again.",
    );
    return [];
  }
  const { rank } = factors;
  if (rank !== configured)
    findings.error(
      "rank",
      `${modulePath} has rank ${rank}, adapter_config.json says ${configured}.`,
      "The configuration belongs to another adapter: put the right adapter_config.json next to the weights.",
    );
  const layer = place.kind === "block" ? place.layer : undefined;
  const alpha = scale * rank;
  return [{ modulePath, place: place.kind, layer, module: shortName(modulePath), alpha, scale, ...factors }];
}

type Pair = Pick<PeftModule, "a" | "b" | "rank"> & { readonly experts?: number };

function plainPair(a: SafetensorsTensor, b: SafetensorsTensor): Pair | undefined {
  const [rank] = b.shape;
  if (a.shape.length !== 2 || b.shape.length !== 2 || rank === undefined || rank === 0 || a.shape[1] !== rank)
    return undefined;
  return { rank, a: transposedFactor(storedFactor(a)), b: transposedFactor(storedFactor(b)) };
}

/** A [experts, rank, in] and B [experts, out, rank]; earlier versions flattened the first two sizes of A. */
function expertPair(a: SafetensorsTensor, b: SafetensorsTensor): Pair | undefined {
  const [experts = 0, outputs = 0, rank = 0] = b.shape;
  const inputs = a.shape.at(-1) ?? 0;
  const rows = a.shape.slice(0, -1).reduce((product, length) => product * length, 1);
  if (experts === 0 || rank === 0 || rows !== experts * rank) return undefined;
  const flat = { ...storedFactor(a), shape: [rows, inputs] };
  return { rank, experts, a: flat, b: expertsFromStack(storedFactor(b), experts, outputs, rank) };
}
