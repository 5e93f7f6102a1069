import { describe, expect, it } from "vitest";
import { DirectUnavailable, llamaLibrary } from "../../src/engine/direct/llama-library.js";
import { mostProbable } from "../../src/engine/direct/direct-decoder.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { EngineError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { logProbabilities } from "../support/log-probabilities.js";
import { openNodeModel } from "../support/node-llama-cpp.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinyArchitectures, writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

const shape: ContextShape = {
  sequences: 6,
  contextSize: 256,
  batchSize: 32,
  cacheType: "F16",
  flashAttention: "auto",
};

describe("llama.cpp called directly and through node-llama-cpp", () => {
  const folder = temporaryFolder();

  it.each(tinyArchitectures)(
    "gives the same probabilities and the same answers on a tiny %s model",
    async (architecture) => {
      const modelPath = await writeTinyModel(folder.path, `${architecture}.gguf`, { architecture, layers: 3 });
      const adapter = await writeTinyAdapter(folder.path, `${architecture}-lora.gguf`, { architecture, layers: 3 });
      const masks = [[], [{ path: adapter, scale: 1 }], [{ path: adapter, scale: 0.5 }]];
      // Shorter than a batch, just one, and longer than two: prompts that a context reads in one call and in several.
      const texts = ["a", "What is it?", "x".repeat(31), "y".repeat(32), "z".repeat(33), "Where? ".repeat(14)];
      const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
      const node = await openNodeModel(modelPath);
      try {
        const tokens = await engine.tokenize(texts);
        for (const pieces of masks) {
          const prompts = tokens.map((ids, i) => ({ id: String(i), tokens: ids }));
          const request = { pieces, context: shape, prompts, maxTokens: 12, stop: [], invariantTokens: 0 };
          const answers = await engine.generate(request);
          const inOrder = answers.sort((a, b) => Number(a.id) - Number(b.id)).map(({ tokens: own }) => own);
          expect(inOrder).toEqual(await node.answers(request));
          for (const ids of tokens) {
            const asked = { pieces, context: shape, tokens: ids };
            const expected = await node.probabilitiesAfter(asked);
            const own = logProbabilities(await engine.nextTokenLogits(asked)).map(Math.exp);
            const worst = Math.max(...own.map((probability, token) => Math.abs(probability - (expected[token] ?? 1))));
            expect(worst).toBeLessThan(1e-5);
          }
        }
      } finally {
        await Promise.all([engine.close(), node.close()]);
      }
    },
  );

  it("is refused for another release", () => {
    expect(() => llamaLibrary("v0.6.0")).toThrow(/v0\.4\.0 and v0\.5\.0, this is v0\.6\.0/);
    expect(() => llamaLibrary("v0.6.0")).toThrow(DirectUnavailable);
  });

  it("reports a model that llama.cpp refuses as node-llama-cpp does", async () => {
    const modelPath = await writeTinyModel(folder.path, "whole.gguf", { architecture: "llama", layers: 2 });
    const missing = `${modelPath}.missing`;
    const error = await failureOf(EngineError, () => openEngine({ modelPath: missing, gpu: "off", gpuLayers: 0 }));
    expect(error.message).toContain(missing);
  });
});

describe("the most probable token", () => {
  it("is the one with the highest logit, the first of equals, whatever is not a number", () => {
    expect(mostProbable(Float32Array.from([0, 3, 3, -1]))).toBe(1);
    expect(mostProbable(Float32Array.from([-Infinity, -5, -2]))).toBe(2);
    expect(mostProbable(Float32Array.from([1, NaN, 2]))).toBe(2);
  });
});
