import { architectureNames } from "../adapter/architectures.js";

/** What the next training run adapts. */
export interface TrainingTarget {
  /** Of the base model, as GGUF files name it. */
  readonly architecture: string;
  /** Ascending. */
  readonly layers: readonly number[];
  /** Modules by their GGUF names (`attn_q`); undefined for all linear ones. */
  readonly modules: readonly string[] | undefined;
  readonly rank: number;
  readonly alpha: number;
}

/** The same choice for three trainers, to be pasted. */
export interface TrainingSnippets {
  /** Python. */
  readonly peft: string;
  /** YAML; missing where the names of the architecture's modules are not known. */
  readonly llamaFactory?: string;
  /** Python. */
  readonly unsloth: string;
}

/** What stands for module names that are not known. */
const UNKNOWN_MODULES = ['"..."'];

/**
 * Configurations that adapt these layers. PEFT and Unsloth take layers (`layers_to_transform`, which PEFT refuses beside a `target_modules` that is one
 * string); LLaMA-Factory has no such setting, but hands the list in `lora_target` to PEFT, which takes every module whose path ends in one of its entries.
 *
 * Sources: peft LoraConfig; LLaMA-Factory src/llamafactory/model/adapter.py and hparams/finetuning_args.py (`split_arg`); Unsloth
 * FastLanguageModel.get_peft_model.
 */
export function trainingSnippets(target: TrainingTarget): TrainingSnippets {
  const { layers, rank, alpha } = target;
  const paths = modulePaths(target);
  const names = paths?.map((path) => JSON.stringify(path.split(".").at(-1))) ?? UNKNOWN_MODULES;
  const layerList = `[${layers.join(", ")}]`;
  const settings = [
    `r=${rank}`,
    `lora_alpha=${alpha}`,
    `target_modules=[${names.join(", ")}]`,
    `layers_to_transform=${layerList}`,
  ];
  const lines = (items: readonly string[]): string => items.map((line) => `    ${line},\n`).join("");
  return {
    peft: `from peft import LoraConfig\n\nconfig = LoraConfig(\n${lines([...settings, 'task_type="CAUSAL_LM"'])})\n`,
    ...(paths ? { llamaFactory: yaml(target, paths) } : {}),
    unsloth: `from unsloth import FastLanguageModel\n\nmodel = FastLanguageModel.get_peft_model(\n${lines(["model", ...settings])})\n`,
  };
}

function yaml({ architecture, layers, rank, alpha }: TrainingTarget, paths: readonly string[]): string {
  const list = architectureNames(architecture)?.layers.split(".").at(-1) ?? "layers";
  const targets = layers.map((layer) => `  ${paths.map((path) => `${list}.${layer}.${path}`).join(",")}`);
  return [
    "finetuning_type: lora",
    `lora_rank: ${rank}`,
    `lora_alpha: ${alpha}`,
    "lora_target: >-",
    `${targets.join(",\n")}\n`,
  ].join("\n");
}

/** Paths in a block on the Hugging Face side; undefined where they are not known. */
function modulePaths({ architecture, modules }: TrainingTarget): string[] | undefined {
  const names = architectureNames(architecture);
  if (!names) return undefined;
  const known = Object.entries(names.modules);
  // Experts are parameters, which target_modules does not reach.
  const wanted = known.filter(([, gguf]) => {
    if (typeof gguf !== "string" || /_(?:exps|inp)$/.test(gguf)) return false;
    return modules === undefined || modules.includes(gguf);
  });
  return wanted.length === 0 ? undefined : wanted.map(([path]) => path);
}
