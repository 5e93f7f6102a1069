import { openEngine } from "../../src/engine/process-engine.js";
import type { ScaledPiece } from "../../src/adapter/pieces.js";
import type { Engine } from "../../src/engine/engine.js";
import { logProbabilities } from "./log-probabilities.js";

/** One sequence, F32 cache, no flash attention: what oracles are compared with. */
const context = {
  sequences: 1,
  contextSize: 256,
  batchSize: 512,
  cacheType: "F32",
  flashAttention: "off",
} as const;

/** Largest difference of log-probabilities at the last token of each prompt, in nats. */
export async function largestDifference(
  engine: Engine,
  pieces: readonly ScaledPiece[],
  prompts: readonly (readonly number[])[],
  expected: readonly (readonly number[])[],
): Promise<number> {
  let largest = 0;
  for (const [i, tokens] of prompts.entries()) {
    const found = logProbabilities(await engine.nextTokenLogits({ pieces, context, tokens }));
    for (const [token, value] of (expected[i] ?? []).entries())
      largest = Math.max(largest, Math.abs((found[token] ?? Number.NaN) - value));
  }
  return largest;
}

/** An engine on one thread of the CPU. */
export function openCpuEngine(modelPath: string): Promise<Engine> {
  return openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
}
