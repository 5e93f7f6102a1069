// How often an answer of the server's engine differs from the same request sent alone, when 16 requests are under way at once.
// "exact" decodes each answer by itself, "batched" all in one batch; "sweep" is what a sweep generates. Greedy; tokens are compared.
//
//   node eval/bench/serve-exactness.mjs [MODEL ADAPTER DATA [MAX-TOKENS [LIMIT]]]      (default: the demo, 64 tokens)
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const load = (file) => import(pathToFileURL(join(root, "dist", file)));
const { openServingEngine } = await load("engine/serving-engine.js");
const { greedy } = await load("engine/serving.js");
const { openEngine } = await load("engine/process-engine.js");
const { readBaseModel } = await load("adapter/base-model.js");
const { loadGgufAdapter } = await load("adapter/load-gguf-adapter.js");
const { boundaryMask } = await load("adapter/mask.js");
const { piecesOf, writePieces } = await load("adapter/pieces.js");
const { loadSamples } = await load("samples/load.js");
const { chatFormatter } = await load("tasks/chat.js");
const { loadPrompt, renderPrompt } = await load("tasks/prompt.js");
const { taskByName } = await load("tasks/task.js");

const demo = (name) => join(root, "eval/demo", name);
const [modelPath = demo("model.gguf"), adapterPath = demo("adapter.gguf"), data = demo("validation.jsonl")] =
  process.argv.slice(2);
const maxTokens = Number(process.argv[5] ?? 64);
const limit = Number(process.argv[6] ?? 1e9);
const threads = process.env.THREADS === undefined ? {} : { threads: Number(process.env.THREADS) };
const AT_ONCE = 16;
const context = { contextSize: 1024, batchSize: 512, cacheType: "F16", flashAttention: "auto" };
const engineOptions = { modelPath, gpu: "off", gpuLayers: 0, ...threads };

const model = await readBaseModel(modelPath);
const task = taskByName(process.env.TASK ?? "qa");
const prompt = await loadPrompt(task.promptPath);
const format = chatFormatter(model, model.chatTemplate === undefined ? "raw" : "chat", undefined);
const { samples } = await loadSamples(data, { kind: task.name, context: "supporting" });
const texts = samples.slice(0, limit).map((sample) => format(renderPrompt(prompt, sample, data)));

const folder = mkdtempSync(join(tmpdir(), "boundary-exactness-"));
const adapter = await loadGgufAdapter(adapterPath);
const boundaries = [0, Math.round((2 * model.layerCount) / 3), model.layerCount];
const masks = boundaries.map((boundary) => boundaryMask(adapter.modules, model.layerCount, boundary));
const pieces = await writePieces(adapter, masks, folder);

async function served(mask, { exact, atOnce }) {
  const serving = { context: { ...context, sequences: AT_ONCE }, contexts: 1, exact };
  const engine = await openServingEngine(engineOptions, () => serving);
  try {
    const prompts = await engine.tokenize(texts);
    const answers = [];
    let next = 0;
    const started = performance.now();
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let i = next++; i < prompts.length; i = next++) {
          const request = { tokens: prompts[i], maxTokens, maxMs: 1e9, stop: [], sampling: greedy, schema: undefined };
          answers[i] = await engine.answer({ ...request, pieces: piecesOf(mask, pieces), logprobs: undefined });
        }
      }),
    );
    const seconds = (performance.now() - started) / 1000;
    return { tokens: answers.map((answer) => answer.tokens), seconds };
  } finally {
    await engine.close();
  }
}

async function swept(mask) {
  const engine = await openEngine(engineOptions);
  try {
    const prompts = await engine.tokenize(texts);
    const tokens = [];
    const started = performance.now();
    for (const [i, ids] of prompts.entries()) {
      const wave = { prompts: [{ id: String(i), tokens: ids }], maxTokens, stop: [] };
      const [one] = await engine.generate({
        pieces: piecesOf(mask, pieces),
        context: { ...context, sequences: 1 },
        ...wave,
      });
      tokens.push(one.tokens);
    }
    return { tokens, seconds: (performance.now() - started) / 1000 };
  } finally {
    await engine.close();
  }
}

console.log(`${texts.length} prompts, at most ${maxTokens} tokens, ${AT_ONCE} at once`);
try {
  for (const [i, mask] of masks.entries()) {
    const alone = await served(mask, { exact: true, atOnce: 1 });
    const tokens = alone.tokens.flat().length;
    const others = {
      sweep: await swept(mask),
      exact: await served(mask, { exact: true, atOnce: AT_ONCE }),
      batched: await served(mask, { exact: false, atOnce: AT_ONCE }),
    };
    const differing = (one) =>
      alone.tokens.filter((ids, k) => JSON.stringify(ids) !== JSON.stringify(one.tokens[k])).length;
    const cells = Object.entries(others).map(
      ([name, one]) => `${name} ${differing(one)} differ, ${(tokens / one.seconds).toFixed(0)} tok/s`,
    );
    console.log(`K=${boundaries[i]}: alone ${(tokens / alone.seconds).toFixed(0)} tok/s; ${cells.join("; ")}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
