import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { logProbabilities } from "../support/log-probabilities.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";

/** Batches of 16, so that continuations begin, end and go on across them. */
const shape: ContextShape = {
  sequences: 2,
  contextSize: 256,
  batchSize: 16,
  cacheType: "F32",
  flashAttention: "off",
};

const pairs = [
  ["a", "b"],
  ["What is it?", "A thing."],
  ["x".repeat(15), "y"],
  ["x".repeat(16), "yes and no"],
  ["Where? ".repeat(6), "It lies between the two rivers, they say."],
  ["nothing follows", ""],
] as const;

describe("the probability of a continuation", () => {
  const folder = temporaryFolder();

  it("is that of its tokens one after another", async () => {
    const architecture = "llama";
    const modelPath = await writeTinyModel(folder.path, "base.gguf", { architecture, layers: 3 });
    const adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture, layers: 3 });
    const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const tokens = await engine.tokenize(pairs.map(([prompt]) => prompt));
      const continuations = await engine.tokenize(pairs.map(([, continuation]) => continuation));
      for (const pieces of [[], [{ path: adapter, scale: 1 }]]) {
        const prompts = tokens.map((own, i) => ({ id: `s${i}`, tokens: own, continuation: continuations[i] ?? [] }));
        const found = await engine.logLikelihoods({ pieces, context: shape, prompts });
        expect(found.map(({ id, tokens: count }) => [id, count])).toEqual(
          prompts.map(({ id, continuation }) => [id, continuation.length]),
        );
        for (const [i, { tokens: prompt, continuation }] of prompts.entries()) {
          const expected = await stepByStep(engine, pieces, prompt, continuation);
          expect(found[i]?.logProbability).toBeCloseTo(expected, 3);
        }
      }
    } finally {
      await engine.close();
    }
  });
});

async function stepByStep(
  engine: Engine,
  pieces: readonly { path: string; scale: number }[],
  prompt: readonly number[],
  continuation: readonly number[],
): Promise<number> {
  let sum = 0;
  for (const [i, token] of continuation.entries()) {
    const tokens = [...prompt, ...continuation.slice(0, i)];
    const logits = await engine.nextTokenLogits({ pieces, context: shape, tokens });
    sum += logProbabilities(logits)[token] ?? Number.NaN;
  }
  return sum;
}
