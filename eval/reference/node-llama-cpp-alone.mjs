// Answers QA samples with node-llama-cpp alone: one sequence, one prompt after another, its own evaluate(). Nothing of this project is
// used, so it can say whether a sweep's K=0 and K=L are what they claim to be. The prompt is written out by hand for ChatML models
// whose template adds SmolLM2's system message.
//
//   UV_THREADPOOL_SIZE=1 node eval/reference/node-llama-cpp-alone.mjs MODEL DATA.jsonl LIMIT MAX_TOKENS [ADAPTER] > rows.jsonl
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [modelPath, dataPath, limit, maxTokens, adapterPath] = process.argv.slice(2);
const threads = availableParallelism();
const llama = await getLlama({ build: "never", gpu: false, maxThreads: 0, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath });
const lora = adapterPath ? { lora: { adapters: [{ filePath: adapterPath, scale: 1 }] } } : {};
const context = await model.createContext({ contextSize: 2048, sequences: 1, threads, ...lora });
const sequence = context.getSequence();

const lines = readFileSync(dataPath, "utf8").split("\n").filter(Boolean).slice(0, Number(limit));
for (const { id, context: passage, question } of lines.map((line) => JSON.parse(line))) {
  const user = `Answer the question with a short span from the context.\n\nContext: ${passage}\n\nQuestion: ${question}`;
  const prompt =
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n" +
    `<|im_start|>user\n${user}<|im_end|>\n<|im_start|>assistant\n`;
  const tokens = [];
  for await (const token of sequence.evaluate(model.tokenize(prompt, true), { temperature: 0 })) {
    if (model.isEogToken(token)) break;
    tokens.push(token);
    if (tokens.length >= Number(maxTokens)) break;
  }
  await sequence.clearHistory();
  console.log(JSON.stringify({ sampleId: id, output: model.detokenize(tokens), tokens }));
}
process.exit(0);
