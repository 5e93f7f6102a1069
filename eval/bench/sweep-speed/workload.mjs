// One workload: the prompts as token ids, the boundaries and the files that every arm is given. Written once into the work folder, outside the clock.
//
// { name, kind, task, model, adapter, peft, data, layers, threads, maxTokens, eog: [ids], boundaries: [K], prompts: [{ id, tokens }],
//   pieces: [path of the adapter of layer i alone], trimmed: { K: path of the adapter below K }, sweep: [flags of `boundary sweep`] }
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { root } from "./root.mjs";

const boundary = await import(join(root, "dist/index.js"));

/**
 * @param spec { name, task, adapter, peft, data, samples, maxTokens, boundaries, models: { kind: path }, threads }
 * @returns a workload for each kind of model; they differ in the model alone, whose vocabulary is the same.
 */
export async function makeWorkloads(folder, spec) {
  const { name, task, adapter, peft, data, samples, maxTokens, boundaries, models, threads } = spec;
  const [model] = Object.values(models);
  mkdirSync(join(folder, "plan"), { recursive: true });
  const sweep = ["--adapter", adapter, "--data", data, "--task", task, "--limit", String(samples), "--holdout", "0"];
  const config = boundary.parseConfig({
    ...{ model, adapter, data, task, boundaries, maxTokens, threads },
    ...{ limit: samples, holdout: 0, gpu: "off", out: join(folder, "plan") },
  });
  const { plan } = await boundary.planOnly(config);
  if (plan.generation.stop.length > 0) throw new Error(`${name}: stop strings would end answers in one arm alone`);
  const cut = await cutAdapter(adapter, join(folder, "adapters", name), plan.layerCount);
  const shared = {
    ...{ name, task, adapter, peft, data, layers: plan.layerCount, threads, maxTokens },
    eog: await endOfGeneration(model),
    boundaries: plan.candidates.map(({ boundary: K }) => K),
    prompts: plan.selection.map(({ prompt }) => ({ id: prompt.id, tokens: prompt.tokens })),
    ...cut,
    sweep: [...sweep, "--max-tokens", String(maxTokens), "--threads", String(threads), "--gpu", "off"],
  };
  return Object.entries(models).map(([kind, path]) => {
    const workload = { ...shared, kind, model: path, file: join(folder, `workload-${name}-${kind}.json`) };
    writeFileSync(workload.file, JSON.stringify(workload));
    return workload;
  });
}

/** The adapter in one-layer files, and trimmed to each boundary. */
async function cutAdapter(path, folder, layers) {
  mkdirSync(folder, { recursive: true });
  const adapter = await boundary.loadGgufAdapter(path);
  const write = async (name, mask, kept) => {
    const file = join(folder, `${name}.gguf`);
    const provenance = { sourceSha256: "-", boundary: kept, command: "bench" };
    await boundary.trimAdapter(adapter, mask, file, provenance, { overwrite: true });
    return file;
  };
  const pieces = [];
  const trimmed = {};
  for (let layer = 0; layer < layers; layer++) {
    const upTo = boundary.boundaryMask(adapter.modules, layers, layer + 1);
    const below = boundary.boundaryMask(adapter.modules, layers, layer);
    const own = new Map([...upTo].filter(([module]) => !below.has(module)));
    if (own.size > 0) pieces[layer] = await write(`layer-${layer}`, own, layer + 1);
    trimmed[layer + 1] = await write(`keep-${layer + 1}`, upTo, layer + 1);
  }
  return { pieces, trimmed };
}

async function endOfGeneration(modelPath) {
  const llama = await getLlama({ build: "never", gpu: false, maxThreads: 0, logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath, vocabOnly: true });
  const { length } = model.fileInfo.metadata.tokenizer.ggml.tokens;
  const tokens = Array.from({ length }, (_, token) => token).filter((token) => model.isEogToken(token));
  await llama.dispose();
  return tokens;
}
