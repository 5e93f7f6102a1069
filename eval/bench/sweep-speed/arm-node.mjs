// Arms b and b2: node-llama-cpp by hand, no code of this project. A fresh context for each boundary with the one-layer adapters below it;
// greedy. With one sequence the context's settings are node-llama-cpp's own but for the threads; with more, all prompts are asked at once.
//
//   [UV_THREADPOOL_SIZE=1] node arm-node.mjs WORKLOAD.json RESULT.json SEQUENCES
import { readFileSync, writeFileSync } from "node:fs";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [workloadPath, resultPath, most] = process.argv.slice(2);
const workload = JSON.parse(readFileSync(workloadPath, "utf8"));
const { threads, maxTokens, prompts, pieces } = workload;
// No more sequences than prompts: the others would only take memory.
const sequences = Math.min(Number(most), prompts.length);
const longest = Math.max(...prompts.map(({ tokens }) => tokens.length)) + maxTokens;
const shape = Number(most) === 1 ? {} : { sequences, contextSize: Math.ceil(longest / 256) * 256 };

async function answer(sequence, { id, tokens: prompt }) {
  const tokens = [];
  for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
    tokens.push(token);
    if (tokens.length >= maxTokens) break;
  }
  await sequence.clearHistory();
  return { id, tokens };
}

async function answerAll(context) {
  const waiting = [...prompts];
  const answers = [];
  const worker = async (sequence) => {
    for (let prompt = waiting.shift(); prompt; prompt = waiting.shift()) answers.push(await answer(sequence, prompt));
  };
  await Promise.all(Array.from({ length: sequences }, () => worker(context.getSequence())));
  return answers;
}

const loading = performance.now();
const llama = await getLlama({ build: "never", gpu: false, maxThreads: 0, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath: workload.model });
const warm = await model.createContext({ contextSize: 256, threads });
await answer(warm.getSequence(), { id: "", tokens: prompts[0].tokens.slice(0, 8) });
await warm.dispose();

const started = performance.now();
const boundaries = [];
for (const boundary of workload.boundaries) {
  const opening = performance.now();
  const adapters = pieces
    .slice(0, boundary)
    .filter(Boolean)
    .map((filePath) => ({ filePath, scale: 1 }));
  const context = await model.createContext({ ...shape, threads, ...(adapters.length > 0 && { lora: { adapters } }) });
  const asking = performance.now();
  const answers = await answerAll(context);
  const done = performance.now();
  await context.dispose();
  boundaries.push({ boundary, openSeconds: (asking - opening) / 1e3, seconds: (done - asking) / 1e3, answers });
}
const result = {
  loadSeconds: (started - loading) / 1e3,
  sweepSeconds: (performance.now() - started) / 1e3,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  boundaries,
};
writeFileSync(resultPath, JSON.stringify(result));
process.exit(0);
