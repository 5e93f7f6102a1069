import { join } from "node:path";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import type { Adapter } from "../../src/adapter/adapter.js";
import { writeGguf, type GgufTensorToWrite } from "../../src/formats/gguf-writer.js";
import type { GgufValue } from "../../src/formats/gguf-value.js";
import { float32, gaussian, tensor, text } from "../support/tiny-model.js";

/** Metadata of a usable adapter; an entry set to undefined is left out. */
export type Overrides = Readonly<Record<string, GgufValue | undefined>>;

/** Shapes in ggml's order by tensor name. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

export function pair(base: string, inputs: number, outputs: number, rank = 2): Shapes {
  return { [`${base}.lora_a`]: [inputs, rank], [`${base}.lora_b`]: [rank, outputs] };
}

/** Writes a GGUF file with these tensors (random values) and metadata. */
export async function writeFileOf(path: string, shapes: Shapes, metadata: Overrides): Promise<void> {
  const random = gaussian(5);
  const tensors = Object.entries(shapes).map(([name, dims]): GgufTensorToWrite => tensor(name, dims, random, 1));
  const entries = Object.entries(metadata).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined);
  await writeGguf(path, new Map(entries), tensors, { overwrite: true });
}

/** Writes an adapter of the llama architecture. Returns its path. */
export async function writeAdapter(folder: string, shapes: Shapes, overrides: Overrides = {}): Promise<string> {
  const path = join(folder, "adapter.gguf");
  await writeFileOf(path, shapes, {
    "general.architecture": text("llama"),
    "general.type": text("adapter"),
    "adapter.type": text("lora"),
    "adapter.lora.alpha": float32(8),
    ...overrides,
  });
  return path;
}

/** {@link writeAdapter}, loaded. */
export async function adapterOf(folder: string, shapes: Shapes, overrides: Overrides = {}): Promise<Adapter> {
  return loadGgufAdapter(await writeAdapter(folder, shapes, overrides));
}
