// Log-probabilities of two tokens after a prefix, from the bare loop: the prefix is evaluated at once under the one-layer adapters below K.
//
//   node gap.mjs WORKLOAD.json ITEMS.json RESULT.json      ITEMS: [{ boundary, prefix: [ids], tokens: [id or null, ...] }]
import { readFileSync, writeFileSync } from "node:fs";
import { loadModel } from "./llama-library.mjs";

const [workloadPath, itemsPath, resultPath] = process.argv.slice(2);
const workload = JSON.parse(readFileSync(workloadPath, "utf8"));
const items = JSON.parse(readFileSync(itemsPath, "utf8"));
const model = loadModel(workload.model);
const contextSize = Math.max(...items.map(({ prefix }) => prefix.length)) + 1;

function logProbabilities(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = highest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  return Array.from(logits, (logit) => logit - total);
}

const results = [];
for (const boundary of new Set(items.map((item) => item.boundary))) {
  const files = workload.pieces.slice(0, boundary).filter(Boolean);
  const context = model.openContext({ sequences: 1, contextSize, threads: workload.threads }, files);
  for (const [index, item] of items.entries()) {
    if (item.boundary !== boundary) continue;
    context.clear();
    context.prefill(item.prefix);
    const values = logProbabilities(context.logits(-1));
    const [first, second] = [...values].sort((a, b) => b - a);
    // No token stands for the end of an answer: the most probable end-of-generation token.
    const end = Math.max(...workload.eog.map((token) => values[token]));
    results[index] = {
      logProbabilities: item.tokens.map((token) => (token === null ? end : values[token])),
      topTwoGap: first - second,
    };
  }
  context.close();
}
writeFileSync(resultPath, JSON.stringify(results));
