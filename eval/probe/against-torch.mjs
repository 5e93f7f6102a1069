// Hidden states and CKA of a real model against an end-to-end run of transformers and torch on the same file and the same tokens.
//
//   node eval/probe/against-torch.mjs MODEL ADAPTER DATA SAMPLES PYTHON CLONE-OF-c2d-usp/Layer-wise-LoRA-with-CKA
//
// MODEL's weights are those that torch gets too, but llama.cpp rounds what it multiplies quantised weights with to 8 bits: with an F32 or BF16 file
// the two agree best.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const from = (path) => import(pathToFileURL(join(root, "dist", path)));
const { loadInputs } = await from("sweep/inputs/inputs.js");
const { parseConfig } = await from("sweep/config.js");
const { openEngine } = await from("engine/process-engine.js");
const { layerImportances, rankedLayers } = await from("strategy/layer-importance.js");

const [model, adapter, data, samples, python, repository] = process.argv.slice(2);
const config = parseConfig({ model, adapter, data, holdout: 0, limit: Number(samples) }, {}, { out: "unused" });
const inputs = await loadInputs(config);
const engine = await openEngine({ modelPath: inputs.model.path, gpu: "off", gpuLayers: 0 });
const folder = mkdtempSync(join(tmpdir(), "boundary-torch-"));
try {
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const prompts = tokens.map((ids, i) => ({ id: String(i), tokens: ids, positions: [ids.length - 1] }));
  const contextSize = Math.ceil(Math.max(...tokens.map((ids) => ids.length)) / 256) * 256;
  const context = { sequences: 1, contextSize, batchSize: 512, cacheType: "F32", flashAttention: "off" };
  const own = await engine.hiddenStates({ pieces: [], context, prompts });
  const at = (name) => join(folder, name);
  writeFileSync(at("prompts.json"), JSON.stringify(tokens));
  execFileSync(python, [
    ...[
      join(root, "eval/probe/torch_states.py"),
      inputs.model.path,
      at("prompts.json"),
      at("states.bin"),
      at("cka.json"),
    ],
    ...["--repository", repository],
  ]);
  const bytes = readFileSync(at("states.bin"));
  const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const [{ states, length }] = own;
  let worst = { cosine: 1 };
  const sums = new Float64Array(states);
  own.forEach(({ values }, prompt) => {
    for (let state = 0; state < states; state++) {
      const a = values.subarray(state * length, (state + 1) * length);
      const b = theirs.subarray((prompt * states + state) * length, (prompt * states + state + 1) * length);
      let [dot, aa, bb] = [0, 0, 0];
      for (let i = 0; i < length; i++) {
        dot += a[i] * b[i];
        aa += a[i] ** 2;
        bb += b[i] ** 2;
      }
      const cosine = dot / Math.sqrt(aa * bb);
      sums[state] += cosine / own.length;
      if (cosine < worst.cosine) worst = { cosine, prompt, state };
    }
  });
  console.log(
    `${own.length} prompts, ${states} states of ${length}: lowest cosine ${worst.cosine.toFixed(7)} (state ${worst.state}); lowest mean of a state ${Math.min(...sums).toFixed(7)}`,
  );
  const importances = layerImportances(own);
  const torchImportances = JSON.parse(readFileSync(at("cka.json"), "utf8")).map((cka) => 1 - cka);
  // Layers whose input does not vary have no importance here, and 1 by the published function.
  const measured = importances.filter(({ plain }) => plain !== null);
  const largest = Math.max(...measured.map(({ layer, plain }) => Math.abs(plain - torchImportances[layer])));
  const torchRanking = measured
    .map(({ layer }) => layer)
    .sort((a, b) => torchImportances[b] - torchImportances[a] || a - b);
  const ranking = rankedLayers(importances);
  const place = (list) => list.reduce((places, layer, i) => Object.assign(places, { [layer]: i }), []);
  const [p, q] = [place(ranking), place(torchRanking)];
  const n = measured.length;
  const squares = measured.reduce((sum, { layer }) => sum + (p[layer] - q[layer]) ** 2, 0);
  const spearman = 1 - (6 * squares) / (n * (n * n - 1));
  // Of two layers that the sides rank otherwise, how far apart they lie on either side.
  const swapped = [];
  for (const { layer: i } of measured)
    for (const { layer: j } of measured.filter((one) => one.layer < i))
      if (p[i] < p[j] !== q[i] < q[j]) swapped.push(Math.abs(torchImportances[i] - torchImportances[j]));
  console.log(
    `1 - CKA: largest difference ${largest.toExponential(2)}; Spearman ${spearman.toFixed(5)}; ${swapped.length} pairs swapped, at most ${Math.max(0, ...swapped).toExponential(2)} apart`,
  );
} finally {
  await engine.close();
  await inputs.close();
  rmSync(folder, { recursive: true, force: true });
}
