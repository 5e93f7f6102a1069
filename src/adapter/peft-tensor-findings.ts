import type { SafetensorsTensor } from "../formats/safetensors-reader.js";
import type { Findings } from "./finding.js";
import type { ExtraTensor } from "./peft-adapter.js";
import type { PeftConfig } from "./peft-config.js";

/** ZeRO-3 leaves the parameters of a model as empty tensors; saved without being gathered, they hold nothing. @returns whether there are any. */
export function reportEmptyTensors(tensors: readonly SafetensorsTensor[], findings: Findings): boolean {
  const empty = tensors.filter(({ shape }) => shape.includes(0));
  const [first] = empty;
  if (!first) return false;
  findings.error(
    "empty-tensors",
    `${empty.length} of ${tensors.length} LoRA tensors are empty (shape [${first.shape.join(", ")}]), as DeepSpeed ZeRO-3 leaves them when an adapter is saved without gathering its weights.`,
    "Set stage3_gather_16bit_weights_on_model_save (in accelerate: zero3_save_16bit_model) to true and save again from the last training checkpoint.",
  );
  return true;
}

/** Tensors other than A and B. PEFT merges those that its configuration names; others came from another tool, and PEFT passes them over. */
export function reportOddTensors(extras: readonly ExtraTensor[], config: PeftConfig, findings: Findings): void {
  const merge = "Merge the adapter into the base with `boundary merge`.";
  const mergeElsewhere =
    "PEFT would leave these tensors out: merge the adapter into the base with the tool that made the file, and convert the merged model.";
  const hasBiases = config.lora_bias === true || (config.bias ?? "none") !== "none";
  const meanings: Record<string, [code: string, text: string, isPefts: boolean]> = {
    magnitude: ["dora", "holds DoRA's magnitude vectors, which llama.cpp does not compute", true],
    bias: ["bias", "holds trained biases, which llama.cpp does not apply from an adapter", hasBiases],
    "token-delta": ["trainable-tokens", "holds trained rows of the embedding", true],
    "whole-weight": [
      "modules-to-save",
      "holds whole trained weights, which an adapter file cannot carry",
      (config.modules_to_save ?? []).length > 0,
    ],
    unknown: ["unknown-tensor", "holds tensors that are not recognised", false],
  };
  const odd = new Map<string, string[]>();
  for (const { kind, tensor } of extras) odd.set(kind, [...(odd.get(kind) ?? []), tensor.name]);
  for (const [kind, names] of odd) {
    const meaning = meanings[kind];
    if (!meaning) continue;
    const [code, text, isPefts] = meaning;
    const listed = `${names.slice(0, 2).join(", ")}${names.length > 2 ? `, and ${names.length - 2} more` : ""}`;
    findings.error(code, `The file ${text}: ${listed}.`, isPefts ? merge : mergeElsewhere);
  }
}

/** What is wrong with the shapes of a pair: code, message and fix of a finding. */
export function shapeProblem(
  modulePath: string,
  a: readonly number[],
  b: readonly number[],
  rank: number,
  isParameter = false,
): [code: string, message: string, fix: string] | undefined {
  const pair = `${modulePath}: A [${a.join(", ")}] and B [${b.join(", ")}]`;
  const [rankOfA, rankOfB] = [a[0], b[1]];
  // An adapted parameter of experts has a rank for each of them.
  const fits = rankOfA === rank || (isParameter && rankOfA !== undefined && rankOfA % rank === 0);
  if (a.length === 2 && b.length === 2 && rankOfA === rankOfB && fits) return undefined;
  if (a.length !== 2 || b.length !== 2)
    return [
      "shape",
      `${pair} are not matrices.`,
      "Sharded or flattened weights (FSDP, DeepSpeed) were saved without being gathered: gather them and save the adapter again.",
    ];
  if (rankOfA !== rankOfB)
    return ["rank", `${pair} differ in rank.`, "The file is damaged or mixes two adapters: export the adapter again."];
  return [
    "rank",
    `${pair} are not of the rank ${rank} that the configuration gives.`,
    "The configuration belongs to another adapter: put the right adapter_config.json beside the weights.",
  ];
}
