// What merging does to a real model: `node eval/merge/measure.mjs F32.gguf ADAPTER.gguf DATA.jsonl SAMPLES BASE.gguf=own,q8_0...` (after `npm run build`).
// 1. the F32 model with the adapter merged against the same model with the adapter loaded: how probable
//    the second half of 64 texts is after the first, in nats a token. 2. for each BASE: EM, F1 and the likelihood of the references with the adapter loaded, and merged
//    into the base's own type, Q8_0 and F16. 3. peak memory of each merge.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readBaseModel } from "../../dist/adapter/base-model.js";
import { openEngine } from "../../dist/engine/process-engine.js";

const [f32, adapter, data, samples, ...bases] = process.argv.slice(2);
let runs = 0;
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "boundary-merge-"));

/** Runs `boundary merge` and says how much memory it took at most. */
function merge(base, type) {
  const out = join(folder, "merged.gguf");
  const report = join(folder, "report.json");
  const flags = type === undefined ? [] : ["--type", type];
  const words = ["merge", adapter, "-m", base, "-o", out, "--force", "--report", report, ...flags];
  const { stderr, status } = spawnSync("/usr/bin/time", ["-f", "%M %e", process.execPath, cli, ...words], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  const [kilobytes, seconds] = stderr.trim().split("\n").at(-1).split(" ").map(Number);
  return {
    out,
    ...JSON.parse(readFileSync(report, "utf8")).totals,
    megabytes: kilobytes / 1024,
    seconds,
    size: statSync(out).size / 1e6,
  };
}

/** Of the first 64 texts: log-probability of their second half after the first, in nats a token, with an F32 cache. */
async function likelihoods(modelPath, pieces, texts) {
  const engine = await openEngine({ modelPath, gpu: "off", gpuLayers: 0 });
  const context = { sequences: 1, contextSize: 1024, batchSize: 512, cacheType: "F32", flashAttention: "off" };
  try {
    const prompts = (await engine.tokenize(texts)).map((tokens, i) => {
      const half = tokens.length >> 1;
      return { id: String(i), tokens: tokens.slice(0, half), continuation: tokens.slice(half) };
    });
    const found = await engine.logLikelihoods({ pieces, context, prompts });
    return found.map(({ logProbability, tokens }) => logProbability / tokens);
  } finally {
    await engine.close();
  }
}

function run(words) {
  const common = ["-a", adapter, "-d", data, "--limit", samples, "--metrics", "em,f1,nll", "--json", "--quiet"];
  return JSON.parse(
    execFileSync(process.execPath, [cli, ...words, ...common], { encoding: "utf8", maxBuffer: 1 << 28 }),
  );
}

/** The model with the adapter loaded, as a run to compare with. */
function loadedRun(model, layers) {
  const out = join(folder, `loaded-${basename(model)}`);
  run(["sweep", "-m", model, "--boundaries", String(layers), "--holdout", "0", "--metric", "em", "-o", out]);
  return out;
}

/** The scores of both on the same samples. The adapter is named because `compare` wants one; the merged model is the system "base". */
function compared(merged, loaded) {
  const out = join(folder, `merged-${(runs += 1)}`);
  const { systems } = run(["compare", "-m", merged, "--against", "base", "--against", `${loaded}#full`, "-o", out]);
  const own = systems.find(({ name }) => name === "base");
  const other = systems.find(({ name }) => name.endsWith("#full"));
  return ["em", "f1", "nll"].map((metric) => {
    const value = ({ scores }) => scores[metric].value.toFixed(metric === "nll" ? 2 : 1);
    return `${metric} ${value(other)} loaded, ${value(own)} merged`;
  });
}

try {
  const { layerCount: layers } = await readBaseModel(f32);
  const lines = readFileSync(data, "utf8").trim().split("\n");
  const texts = lines.slice(0, 64).map((line) => JSON.parse(line).context.slice(0, 1500));
  const loaded = await likelihoods(f32, [{ path: adapter, scale: 1 }], texts);
  const merged = merge(f32);
  const found = await likelihoods(merged.out, [], texts);
  const differences = loaded.map((value, i) => Math.abs(value - found[i]));
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  console.log(
    `F32: largest difference ${Math.max(...differences).toExponential(2)} nats a token, mean ${mean.toExponential(2)}, over ${texts.length} texts; ` +
      `peak ${merged.megabytes.toFixed(0)} MB, ${merged.seconds} s for ${merged.size.toFixed(0)} MB`,
  );
  for (const given of bases) {
    const [base, types = "own"] = given.split("=");
    const run = loadedRun(base, layers);
    for (const type of types.split(",")) {
      const { out, error, lost, megabytes, seconds, size } = merge(base, type === "own" ? undefined : type);
      const figures = `error ${(100 * error).toFixed(1)} %, lost ${(100 * lost).toFixed(2)} %, ${size.toFixed(0)} MB, peak ${megabytes.toFixed(0)} MB, ${seconds} s`;
      console.log(`${basename(base)} merged as ${type} (${figures}): ${compared(out, run).join("; ")}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
