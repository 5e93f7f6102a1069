// `node measure_gguf.mjs BASE ADAPTER EXPECTED.json`: largest difference to the full adapter's log-probabilities, in nats.
import { readFileSync } from "node:fs";
import { openEngine } from "../../dist/engine/process-engine.js";

const [modelPath, path, expectedPath] = process.argv.slice(2);
const { prompts, boundaries } = JSON.parse(readFileSync(expectedPath, "utf8"));
const context = { sequences: 1, contextSize: 256, batchSize: 512, cacheType: "F32", flashAttention: "off" };
const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0, threads: 1 });
let largest = 0;
try {
  for (const [i, tokens] of prompts.entries()) {
    const logits = await engine.nextTokenLogits({ pieces: [{ path, scale: 1 }], context, tokens });
    const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0)) + highest;
    boundaries.at(-1)[i].forEach((value, token) => {
      largest = Math.max(largest, Math.abs(logits[token] - total - value));
    });
  }
} finally {
  await engine.close();
}
console.log(largest);
