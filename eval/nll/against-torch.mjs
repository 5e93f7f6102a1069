// Likelihoods of references under every boundary, and the K that they choose, against transformers, PEFT and torch on the same files.
//
//   node eval/nll/against-torch.mjs MODEL.gguf ADAPTER.gguf PEFT-FOLDER DATA SAMPLES PYTHON
//
// MODEL's weights are those that torch gets too; with an F32 file, an F32 cache and without flash attention both compute the same, but for the order of sums.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const from = (path) => import(pathToFileURL(join(root, "dist", path)));
const { boundaryCandidates } = await from("adapter/mask.js");
const { piecesOf, writePieces } = await from("adapter/pieces.js");
const { chooseBoundary } = await from("choice/choose.js");
const { scoreAnswers } = await from("choice/scores.js");
const { openEngine } = await from("engine/process-engine.js");
const { parseConfig } = await from("sweep/config.js");
const { loadInputs } = await from("sweep/inputs/inputs.js");
const { ruleSettings } = await from("sweep/inputs/scoring.js");
const { continuedPrompts } = await from("sweep/ranking/continuations.js");

const [model, adapter, peft, data, samples, python] = process.argv.slice(2);
const given = { model, adapter, data, holdout: 0, limit: Number(samples), metric: "nll" };
const config = parseConfig(given, {}, { out: "unused" });
const inputs = await loadInputs(config);
const engine = await openEngine({ modelPath: inputs.model.path, gpu: "off", gpuLayers: 0 });
const folder = mkdtempSync(join(tmpdir(), "boundary-nll-"));
const at = (name) => join(folder, name);
try {
  const { layerCount } = inputs.model;
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const planned = inputs.samples.map(({ part, sample }, i) => {
    return { part, sample, prompt: { id: sample.id, tokens: tokens[i] } };
  });
  const prompts = await continuedPrompts(engine, inputs, planned);
  const longest = Math.max(...prompts.map((one) => one.tokens.length + one.continuation.length));
  const context = {
    ...{ sequences: 1, contextSize: Math.ceil((longest + 1) / 256) * 256, batchSize: 512 },
    ...{ cacheType: "F32", flashAttention: "off" },
  };
  const candidates = boundaryCandidates(inputs.adapter, layerCount, inputs.boundaries);
  const pieces = await writePieces(
    inputs.adapter,
    candidates.map(({ mask }) => mask),
    folder,
  );
  const boundaries = candidates.map(({ number, mask }) => ({ boundary: number, pieces: piecesOf(mask, pieces) }));
  const own = new Map(candidates.map(({ number }) => [number, new Map()]));
  const full = boundaries.at(-1).pieces;
  const started = performance.now();
  await engine.logLikelihoodsShared({ full, boundaries, context, prompts }, ({ boundary, likelihood }) => {
    own.get(boundary).set(likelihood.id, likelihood);
  });
  const seconds = (performance.now() - started) / 1000;
  writeFileSync(at("prompts.json"), JSON.stringify({ boundaries: [...own.keys()], prompts }));
  const script = join(root, "eval/nll/torch_likelihoods.py");
  execFileSync(python, [script, inputs.model.path, peft, at("prompts.json"), at("found.json")], { stdio: "inherit" });
  const theirs = JSON.parse(readFileSync(at("found.json"), "utf8"));
  let worst = { perToken: 0 };
  let total = 0;
  for (const [i, [boundary, likelihoods]] of [...own].entries()) {
    for (const [j, { id, continuation }] of prompts.entries()) {
      const difference = Math.abs(likelihoods.get(id).logProbability - theirs[i][j]) / continuation.length;
      total += difference;
      if (difference > worst.perToken) worst = { perToken: difference, boundary, id };
    }
  }
  const count = own.size * prompts.length;
  console.log(
    `${prompts.length} samples under ${own.size} boundaries (${seconds.toFixed(1)} s): largest difference ` +
      `${worst.perToken.toExponential(2)} nats a token (K=${worst.boundary}, ${worst.id}), mean ${(total / count).toExponential(2)}`,
  );
  const chosenBy = (logProbability) => {
    const scored = candidates.map((candidate, i) => {
      const rows = prompts.map((one, j) => {
        const likelihood = { logProbability: logProbability(i, j), tokens: one.continuation.length };
        return { output: "", tokens: [], stop: "eog", isWeighed: true, likelihood };
      });
      return scoreAnswers(
        { candidate, rows },
        planned.map(({ sample }) => sample),
        inputs,
      );
    });
    return Object.fromEntries(
      ["no-worse", "one-se", "best"].map((rule) => {
        const settings = ruleSettings({ ...config, rule }, inputs, { strategy: inputs.strategy, layerCount });
        return [rule, chooseBoundary({ ...settings, scored, full: scored.at(-1) }).chosen.candidate.number];
      }),
    );
  };
  const ours = chosenBy((i, j) => own.get(candidates[i].number).get(prompts[j].id).logProbability);
  const torchs = chosenBy((i, j) => theirs[i][j]);
  console.log(`chosen here: ${JSON.stringify(ours)}; by torch: ${JSON.stringify(torchs)}`);
} finally {
  await engine.close();
  await inputs.close();
  rmSync(folder, { recursive: true, force: true });
}
