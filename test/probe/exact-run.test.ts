import { reading } from "../../src/engine/layer-reader.js";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBaseModel, type BaseModel } from "../../src/adapter/base-model.js";
import { f32CopyBytes, hasF32Layers, writeF32Copy } from "../../src/adapter/f32-copy.js";
import type { Engine } from "../../src/engine/engine.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { dequantize } from "../../src/formats/dequantize.js";
import { withFileSource } from "../../src/files/file-source.js";
import { readGgufHeader, type GgufTensor } from "../../src/formats/gguf-reader.js";
import { wholePass, type CardRun } from "../../src/probe/card-run.js";
import { withExactRun } from "../../src/probe/exact-run.js";
import { residualNorms } from "../../src/probe/residual-norm.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

describe("derivatives of a quantised model", () => {
  const folder = temporaryFolder();
  const quantised = async (): Promise<BaseModel> =>
    readBaseModel(await writeTinyModel(folder.path, "q8.gguf", { architecture: "llama", layers: 2, type: "Q8_0" }));
  const valuesOf = (path: string, { type, offset, byteLength }: GgufTensor): Promise<Float32Array> =>
    withFileSource(path, async (source) => dequantize(type, await source.read(offset, byteLength)));

  it("have a copy of it with the same weights as F32", async () => {
    const model = await quantised();
    const copy = join(folder.path, "copy.gguf");
    await writeF32Copy(model, copy);
    const [before, after] = [await readGgufHeader(model.path), await readGgufHeader(copy)];
    expect(after.tensors.map(({ name, dims }) => [name, dims])).toEqual(
      before.tensors.map(({ name, dims }) => [name, dims]),
    );
    expect(new Set(before.tensors.map(({ type }) => type.name))).toEqual(new Set(["F32", "Q8_0"]));
    expect(new Set(after.tensors.map(({ type }) => type.name))).toEqual(new Set(["F32"]));
    for (const [i, tensor] of after.tensors.entries()) {
      const own = before.tensors[i];
      if (own) expect(await valuesOf(copy, tensor)).toEqual(await valuesOf(model.path, own));
    }
    expect(await f32CopyBytes(model)).toBe(after.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0));
    expect([await hasF32Layers(model), await hasF32Layers(await readBaseModel(copy))]).toEqual([false, true]);
  });

  it("are those of that copy", async () => {
    const model = await quantised();
    const open = (modelPath: string): Promise<Engine> =>
      openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
    const copy = join(folder.path, "second-copy.gguf");
    await writeF32Copy(model, copy);
    const run: CardRun = {
      engine: await open(model.path),
      model,
      prompts: [{ id: "0", tokens: [5, 60, 7, 81, 9, 100], continuation: [11, 42, 13] }],
      context: { sequences: 1, contextSize: 256, batchSize: 64, cacheType: "F16", flashAttention: "auto" },
      seed: 5,
      signal: undefined,
      onPass: () => undefined,
    };
    const energies = await reading(run.engine, "moduleEnergies").moduleEnergies(wholePass(run, []));
    const exact = await withExactRun(run, (own) => residualNorms(own, energies, 3));
    const own = { ...run, model: await readBaseModel(copy), engine: await open(copy) };
    expect(exact).toEqual(await withExactRun(own, (same) => residualNorms(same, energies, 3)));
    for (const { norm, stepError } of exact) {
      expect(norm).toBeGreaterThan(0);
      expect(stepError).toBeLessThan(0.01);
    }
  });
});
