import { reading } from "../../src/engine/layer-reader.js";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { architectureNames } from "../../src/adapter/architectures.js";
import { readBaseModel, type BaseModel } from "../../src/adapter/base-model.js";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { loadPeftAdapter } from "../../src/adapter/load-peft-adapter.js";
import { boundaryMask } from "../../src/adapter/mask.js";
import { writePeftAsGguf } from "../../src/adapter/peft-to-gguf.js";
import { piecesOf, writePieces } from "../../src/adapter/pieces.js";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { losses, meanOf, wholePass, type CardRun } from "../../src/probe/card-run.js";
import { RIDGE } from "../../src/probe/perturbation.js";
import { residualNorms } from "../../src/probe/residual-norm.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** Made by layer_card.py. */
interface Expected {
  readonly prompts: readonly (readonly number[])[];
  readonly promptTokens: number;
  readonly energies: readonly {
    readonly layer: number;
    readonly module: string;
    readonly input: number;
    readonly output: number;
    readonly update: number;
  }[];
  readonly residual: {
    readonly loss: number;
    readonly ridge: number;
    readonly layers: readonly number[];
    readonly modules: readonly { readonly layer: number; readonly module: string; readonly norm: number }[];
  };
}

const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));
const architectures = readdirSync(fixtures, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
/** Batches of 8 cut the prompts of 12 tokens in two. */
const context: ContextShape = {
  sequences: 1,
  contextSize: 256,
  batchSize: 8,
  cacheType: "F32",
  flashAttention: "off",
};
/** Relative. llama.cpp computes the GELU of gemma and phi-2 from a table of F16 values. */
const tolerance = (architecture: string): number => (/^(gemma|phi$)/.test(architecture) ? 3e-3 : 1e-5);

describe.each(architectures)("%s: a layer card's numbers are those of torch", (architecture) => {
  const scratch = temporaryFolder();
  const home = join(fixtures, architecture);
  const expected = JSON.parse(readFileSync(join(home, "plain", "card.json"), "utf8")) as Expected;
  const prompts = expected.prompts.map((tokens, i) => ({ id: String(i), tokens }));
  let engine: Engine;
  let base: BaseModel;

  const weightName = (layer: number, module: string): string => {
    const modules = architectureNames(base.architecture)?.modules ?? {};
    const found = Object.entries(modules).find(([path]) => path.endsWith(`.${module}`))?.[1];
    return `blk.${layer}.${typeof found === "string" ? found : "?"}.weight`;
  };

  beforeAll(async () => {
    base = await readBaseModel(join(home, "base.gguf"));
    engine = await openEngine({ modelPath: base.path, gpu: "off", gpuLayers: 0, threads: 1 });
  });
  afterAll(() => engine.close());

  it("energies of modules, under the adapter and without", async () => {
    const converted = join(scratch.path, "plain.gguf");
    await writePeftAsGguf(await loadPeftAdapter(join(home, "plain")), base, converted, { overwrite: false });
    const adapter = { ...(await loadGgufAdapter(converted)), sha256: architecture };
    const mask = boundaryMask(adapter.modules, base.layerCount, base.layerCount);
    const pieces = piecesOf(mask, await writePieces(adapter, [mask], scratch.path));
    const found = await reading(engine, "moduleEnergies").moduleEnergies({ pieces, context, prompts });
    const byName = new Map(found.map((energy) => [energy.name, energy]));
    expect([...byName.keys()].sort()).toEqual(
      expected.energies.map(({ layer, module }) => weightName(layer, module)).sort(),
    );
    let worst = 0;
    for (const { layer, module, ...sums } of expected.energies) {
      const own = byName.get(weightName(layer, module));
      expect(own?.tokens).toBe(24);
      for (const which of ["input", "output", "update"] as const)
        worst = Math.max(worst, Math.abs((own?.[which] ?? Number.NaN) / sums[which] - 1));
    }
    expect(worst).toBeLessThan(tolerance(architecture));
    const bare = await reading(engine, "moduleEnergies").moduleEnergies({ pieces: [], context, prompts });
    expect(bare.map(({ update }) => update)).toEqual(bare.map(() => 0));
    // What the first layer takes in does not depend on the adapter; what the last one does.
    const inputOf = (energies: typeof found, layer: number): number =>
      energies.find(({ name }) => name.startsWith(`blk.${layer}.attn`))?.input ?? Number.NaN;
    expect(inputOf(bare, 0) / inputOf(found, 0)).toBeCloseTo(1, 9);
    expect(Math.abs(inputOf(bare, base.layerCount - 1) / inputOf(found, base.layerCount - 1) - 1)).toBeGreaterThan(
      1e-4,
    );
  });

  it("the trace of an input's second moment is its energy, and modules share inputs", async () => {
    const energies = await reading(engine, "moduleEnergies").moduleEnergies({ pieces: [], context, prompts });
    const moments = await reading(engine, "inputMoments").inputMoments({ pieces: [], context, prompts, layer: 1 });
    expect(moments.flatMap(({ modules }) => modules).sort()).toEqual(
      energies.flatMap(({ name }) => (name.startsWith("blk.1.") ? [name] : [])).sort(),
    );
    // Of attention, of its output, of the gate and up, of down; in phi-2 attention and the MLP stand side by side.
    expect(moments.length).toBe(architecture === "phi" ? 3 : 4);
    for (const { modules, length, tokens, values } of moments) {
      const trace = Array.from({ length }, (_, i) => values[i * length + i] ?? Number.NaN).reduce((a, b) => a + b);
      const energy = energies.find(({ name }) => name === modules[0])?.input ?? Number.NaN;
      expect((trace * tokens) / energy).toBeCloseTo(1, 9);
      expect(values[1]).toBe(values[length]);
    }
  });

  it("every layer has a time", async () => {
    const times = await reading(engine, "layerTimes").layerTimes({ pieces: [], context, prompts });
    expect(times.map(({ id, tokens }) => [id, tokens])).toEqual(prompts.map(({ id, tokens }) => [id, tokens.length]));
    for (const { milliseconds } of times) {
      expect(milliseconds.length).toBe(base.layerCount);
      expect(Math.min(...milliseconds)).toBeGreaterThan(0);
    }
  });
});

/** F32 throughout: where GELU comes from a table of F16 values, a small step is rounded away. */
describe.each(["llama", "phi3"])("%s: projected residual norms are those of autograd", (architecture) => {
  it("within what their own intervals allow", async () => {
    const home = join(fixtures, architecture);
    const expected = JSON.parse(readFileSync(join(home, "plain", "card.json"), "utf8")) as Expected;
    const { residual, promptTokens } = expected;
    expect(RIDGE).toBe(residual.ridge);
    const model = await readBaseModel(join(home, "base.gguf"));
    const engine = await openEngine({ modelPath: model.path, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const prompts = expected.prompts.map((all, i) => {
        return { id: String(i), tokens: all.slice(0, promptTokens), continuation: all.slice(promptTokens) };
      });
      const run: CardRun = { engine, model, prompts, context, seed: 3, signal: undefined, onPass: () => undefined };
      expect(meanOf(await losses(run, []))).toBeCloseTo(residual.loss, 4);
      const energies = await reading(engine, "moduleEnergies").moduleEnergies(wholePass(run, []));
      const norms = await residualNorms(run, energies, 24);
      let inside = 0;
      for (const { layer, norm, low, high, stepError } of norms) {
        const theirs = residual.layers[layer] ?? Number.NaN;
        if (low <= theirs && theirs <= high) inside += 1;
        // Twice as far as 95 of 100 reach.
        expect(theirs, `layer ${layer}`).toBeGreaterThan(norm * (low / norm) ** 2);
        expect(theirs, `layer ${layer}`).toBeLessThan(norm * (high / norm) ** 2);
        expect(stepError).toBeLessThan(0.005);
      }
      expect(inside).toBeGreaterThanOrEqual(norms.length - 1);
      // Norms differ between layers by far more than that.
      expect(Math.max(...residual.layers) / Math.min(...residual.layers)).toBeGreaterThan(4);
    } finally {
      await engine.close();
    }
  });
});
