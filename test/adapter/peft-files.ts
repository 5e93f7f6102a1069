import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors, type SafetensorsTensorToWrite } from "../../src/formats/safetensors-writer.js";
import { gaussian } from "../support/tiny-model.js";

/** Width of the tiny llama of the oracle: q_proj maps 32 to 32. */
const WIDTH = 32;
const RANK = 4;

/** An F32 tensor with random values. */
export function peftTensor(name: string, shape: readonly number[], seed = 7): SafetensorsTensorToWrite {
  const random = gaussian(seed);
  const values = Float32Array.from({ length: shape.reduce((product, length) => product * length, 1) }, () => random());
  const bytes = new Uint8Array(values.buffer);
  return { name, dtype: "F32", shape, byteLength: bytes.byteLength, data: () => [bytes] };
}

/** A and B of modules, 32 to 32 and of rank 4, under the names that PEFT gives them or `prefix` makes of them. */
export function peftPairs(modulePaths: readonly string[], prefix = "base_model.model."): SafetensorsTensorToWrite[] {
  return modulePaths.flatMap((path) => [
    peftTensor(`${prefix}${path}.lora_A.weight`, [RANK, WIDTH]),
    peftTensor(`${prefix}${path}.lora_B.weight`, [WIDTH, RANK]),
  ]);
}

/** Writes a safetensors file. Returns its path. */
export async function writeWeights(path: string, tensors: readonly SafetensorsTensorToWrite[]): Promise<string> {
  await writeSafetensors(path, tensors, new Map(), { overwrite: true });
  return path;
}

/** Writes a PEFT folder whose configuration names every module by its last part. Returns its path. */
export async function writePeft(
  folder: string,
  tensors: readonly SafetensorsTensorToWrite[],
  config: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeWeights(join(folder, "adapter_model.safetensors"), tensors);
  const names = tensors.flatMap(({ name }) => /(?:^|\.)(\w+)\.lora_(?:embedding_)?[AB]\b/.exec(name)?.[1] ?? []);
  const whole = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    r: RANK,
    lora_alpha: 8,
    base_model_name_or_path: "someone/llama",
    target_modules: [...new Set(names)],
    ...config,
  };
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify(whole));
  return folder;
}

/** `count` modules of a list of blocks, such as `model.layers.0.self_attn.q_proj`. */
export function blocks(list: string, module = "self_attn.q_proj", count = 4): string[] {
  return Array.from({ length: count }, (_, layer) => `${list}.${layer}.${module}`);
}
