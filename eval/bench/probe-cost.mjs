// What the ground-truth probe costs beside one plain pass over the same samples (prompt and first tokens of the reference through the model, logits
// at the last places): both in the same engine, taking turns.
//
//   node eval/bench/probe-cost.mjs MODEL ADAPTER DATA [SAMPLES] [TASK]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const from = (path) => import(pathToFileURL(join(root, "dist", path)));
const { loadInputs } = await from("sweep/inputs/inputs.js");
const { parseConfig } = await from("sweep/config.js");
const { layOutSweep } = await from("sweep/plan.js");
const { continuedPrompts } = await from("sweep/ranking/continuations.js");
const { noShortcuts } = await from("sweep/shortcuts.js");
const { openEngine } = await from("engine/process-engine.js");
const { piecesOf, writePieces } = await from("adapter/pieces.js");

const [model, adapter, data, count = "100", task = "qa"] = process.argv.slice(2);
const TOKENS = 4;
const ROUNDS = 3;
const config = parseConfig({ model, adapter, data, task, holdout: 0, limit: Number(count) }, {}, { out: "unused" });
const inputs = await loadInputs(config);
const engine = await openEngine({ modelPath: inputs.model.path, gpu: "off", gpuLayers: 0 });
const folder = mkdtempSync(join(tmpdir(), "boundary-probe-cost-"));
try {
  const tokens = await engine.tokenize(inputs.samples.map(({ text }) => text));
  const plan = layOutSweep(config, inputs, engine.info, tokens).withShortcuts(noShortcuts("none"));
  const whole = await continuedPrompts(engine, inputs, plan.selection);
  const prompts = whole.map((one) => ({ ...one, continuation: one.continuation.slice(0, TOKENS) }));
  const pieces = piecesOf(plan.full.mask, await writePieces(inputs.adapter, [plan.full.mask], folder));
  const context = { ...plan.generation.context, sequences: 1 };
  const timed = async (run) => {
    const started = performance.now();
    await run();
    return (performance.now() - started) / 1000;
  };
  const plain = () => engine.logLikelihoods({ pieces, context, prompts });
  const probed = () => engine.lens({ pieces, context, prompts }, () => undefined);
  await engine.logLikelihoods({ pieces, context, prompts: prompts.slice(0, 2) });
  const ratios = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [passSeconds, probeSeconds] = [await timed(plain), await timed(probed)];
    ratios.push(probeSeconds / passSeconds);
    console.log(
      `${prompts.length} samples: plain pass ${passSeconds.toFixed(1)} s, probe ${probeSeconds.toFixed(1)} s`,
    );
  }
  const [, median] = ratios.sort((a, b) => a - b);
  console.log(`the probe takes ${median.toFixed(2)} times as long (median of ${ROUNDS})`);
} finally {
  await engine.close();
  await inputs.close();
  rmSync(folder, { recursive: true, force: true });
}
