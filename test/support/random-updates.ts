import type { BaseModel } from "../../src/adapter/base-model.js";
import type { GgufValue } from "../../src/formats/gguf-value.js";
import { writeGguf } from "../../src/formats/gguf-writer.js";
import { float32, gaussian, tensor, text } from "./tiny-model.js";

/** One module of an adapter to be written. */
export interface Update {
  readonly name: string;
  readonly rank: number;
  /** Multiplies A and B: 0 for B alone. */
  readonly strength: number;
}

/** Writes a random LoRA adapter of these modules of a model, as a GGUF file. */
export async function writeUpdates(
  path: string,
  { architecture, shapes }: Pick<BaseModel, "architecture" | "shapes">,
  updates: readonly Update[],
  seed: number,
): Promise<void> {
  const random = gaussian(seed + 1);
  const tensors = updates.flatMap(({ name, rank, strength }) => {
    const [inputs = 0, outputs = 0] = shapes.get(name) ?? [];
    const isEmbedding = name === "token_embd.weight";
    const a = isEmbedding ? [rank, outputs] : [inputs, rank];
    const b = isEmbedding ? [rank, inputs] : [rank, outputs];
    return [
      tensor(`${name}.lora_a`, a, random, (strength === 0 ? 1 : strength) / Math.sqrt(isEmbedding ? rank : inputs)),
      tensor(`${name}.lora_b`, b, random, strength),
    ];
  });
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("adapter")],
    ["adapter.type", text("lora")],
    ["adapter.lora.alpha", float32(8)],
  ]);
  await writeGguf(path, metadata, tensors, { overwrite: true });
}
