import { reading } from "../../../src/engine/layer-reader.js";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openEngine } from "../../../src/engine/process-engine.js";
import { F32 } from "../../../src/formats/ggml-types.js";
import { readGgufHeader } from "../../../src/formats/gguf-reader.js";
import { withFileSource } from "../../../src/files/file-source.js";
import { writeGguf, type GgufTensorToWrite } from "../../../src/formats/gguf-writer.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { float32, text, writeTinyModel } from "../../support/tiny-model.js";

const EXPERTS = 4;
const context = { sequences: 1, contextSize: 256, batchSize: 32, cacheType: "F16", flashAttention: "auto" } as const;

/** Identity matrices, one for each expert. */
function identities(name: string, size: number): GgufTensorToWrite {
  const values = new Float32Array(size * size * EXPERTS);
  for (let i = 0; i < size * EXPERTS; i++) values[i * size + (i % size)] = 1;
  const data = new Uint8Array(values.buffer);
  return { name, dims: [size, size, EXPERTS], type: F32, byteLength: data.byteLength, data: () => [data] };
}

describe("energies of experts", () => {
  const folder = temporaryFolder();

  it("are those of their weights where an update is the weight itself: A = 1 and B = W", async () => {
    const options = { architecture: "llama", layers: 2, experts: EXPERTS } as const;
    const modelPath = await writeTinyModel(folder.path, "base.gguf", options);
    const path = join(folder.path, "itself.gguf");
    const sizes: Readonly<Record<string, number>> = { ffn_gate_exps: 32, ffn_down_exps: 64 };
    const { tensors } = await readGgufHeader(modelPath);
    await withFileSource(modelPath, async (source) => {
      // Each in a layer and file of its own: llama.cpp divides one alpha by each rank.
      for (const [module, size] of Object.entries(sizes)) {
        const weight = tensors.find(({ name }) => name === `blk.1.${module}.weight`);
        if (!weight) throw new Error("the model has experts");
        const b = {
          ...weight,
          name: `${weight.name}.lora_b`,
          data: () => source.stream(weight.offset, weight.byteLength),
        };
        await writeGguf(
          path.replace("itself", module),
          new Map([
            ["general.architecture", text("llama")],
            ["general.type", text("adapter")],
            ["adapter.type", text("lora")],
            ["adapter.lora.alpha", float32(size)],
          ]),
          [identities(`${weight.name}.lora_a`, size), b],
        );
      }
    });
    const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const [tokens = []] = await engine.tokenize(["What is it? And where, and when?".repeat(2)]);
      for (const module of Object.keys(sizes)) {
        const pieces = [{ path: path.replace("itself", module), scale: 1 }];
        const energies = await reading(engine, "moduleEnergies").moduleEnergies({
          pieces,
          context,
          prompts: [{ id: "0", tokens }],
        });
        const own = energies.find(({ name }) => name === `blk.1.${module}.weight`);
        expect(own?.tokens).toBe(tokens.length);
        expect(own?.output).toBeGreaterThan(0);
        expect((own?.update ?? 0) / (own?.output ?? 1)).toBeCloseTo(1, 6);
        // Two experts of each token.
        expect(energies.filter(({ name }) => name.includes("_exps"))).toHaveLength(2 * 3);
        expect(energies.filter(({ update }) => update > 0)).toHaveLength(1);
      }
    } finally {
      await engine.close();
    }
  });
});
