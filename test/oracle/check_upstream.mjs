// Proves the fixtures right with llama.cpp alone: each base.gguf against PEFT's base values, and what llama.cpp's own converter makes of
// some adapters. Run from the repository root; README.md says how.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { getLlama } from "node-llama-cpp";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "fixtures");
/** Nats. llama.cpp looks GELU up in a table of F16 values, which Gemma and phi-2 feel. */
const TOLERANCE = 1e-4;
const TOLERANCE_WITH_GELU = 2e-2;
const WITH_GELU = new Set(["gemma2", "gemma3", "phi"]);

/** What llama.cpp's converter gets right: alpha/rank with one alpha. */
const RIGHT_UPSTREAM = [
  "plain",
  "attention-only",
  "layers-to-transform",
  "rank-pattern",
  "embed-and-head",
  "bf16",
  "f16",
];

const { values: options } = parseArgs({
  options: {
    "llama-cpp": { type: "string" },
    python: { type: "string", default: "python3" },
    only: { type: "string" },
  },
});

/** Natural log-probabilities of the token after `prompt`, indexed by token id. */
async function logProbabilities(model, prompt, adapter) {
  const context = await model.createContext({
    contextSize: 256,
    threads: 1,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
    ...(adapter === undefined ? {} : { lora: { adapters: [{ filePath: adapter, scale: 1 }] } }),
  });
  const input = [...prompt.slice(0, -1), [prompt.at(-1), { generateNext: { logits: true } }]];
  const output = await context.getSequence().controlledEvaluate(input);
  await context.dispose();
  const logits = output.at(-1)?.next.logits;
  if (logits === undefined) throw new Error("llama.cpp gave no logits");
  const largest = Math.max(...logits.values());
  const sum = [...logits.values()].reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return new Map([...logits].map(([token, logit]) => [token, logit - largest - Math.log(sum)]));
}

/** The largest difference in nats over all prompts and tokens. */
async function largestDifference(model, prompts, expected, adapter) {
  let largest = 0;
  for (const [index, prompt] of prompts.entries()) {
    const actual = await logProbabilities(model, prompt, adapter);
    if (actual.size !== expected[index].length)
      throw new Error(`${actual.size} logits, ${expected[index].length} expected`);
    expected[index].forEach((value, token) => (largest = Math.max(largest, Math.abs(value - actual.get(token)))));
  }
  return largest;
}

function convert(architecture, adapter, out) {
  const script = join(options["llama-cpp"], "convert_lora_to_gguf.py");
  const base = join(fixtures, architecture);
  const flags = ["--base", base, "--outtype", "f32", "--outfile", out, adapter];
  execFileSync(options.python, [script, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
}

function report(name, difference, tolerance) {
  const verdict =
    tolerance === undefined ? "(known to be wrong)" : difference <= tolerance ? "ok" : `MORE THAN ${tolerance}`;
  console.log(`${name.padEnd(48)} ${difference.toExponential(2)}  ${verdict}`);
  if (tolerance !== undefined && !(difference <= tolerance)) process.exitCode = 1;
}

const llama = await getLlama({ build: "never", gpu: false, maxThreads: 0, logLevel: "error" });
const scratch = mkdtempSync(join(tmpdir(), "oracle-"));
for (const architecture of readdirSync(fixtures).filter(
  (name) => options.only === undefined || name === options.only,
)) {
  const folder = join(fixtures, architecture);
  const tolerance = WITH_GELU.has(architecture) ? TOLERANCE_WITH_GELU : TOLERANCE;
  const model = await llama.loadModel({ modelPath: join(folder, "base.gguf") });
  const read = (name) => JSON.parse(readFileSync(join(folder, name, "expected.json"), "utf8"));
  const plain = read("plain");
  report(`${architecture}: base`, await largestDifference(model, plain.prompts, plain.base), tolerance);
  const convertible = options["llama-cpp"] === undefined ? [] : RIGHT_UPSTREAM;
  for (const name of convertible.filter((entry) => existsSync(join(folder, entry)))) {
    const converted = join(scratch, `${architecture}-${name}.gguf`);
    convert(architecture, join(folder, name), converted);
    const difference = await largestDifference(model, plain.prompts, read(name).boundaries.at(-1), converted);
    report(`${architecture}: ${name} by llama.cpp's converter`, difference, tolerance);
  }
  for (const name of readdirSync(folder).filter((entry) => existsSync(join(folder, entry, "upstream.gguf")))) {
    const { prompts, boundaries } = read(name);
    const difference = await largestDifference(model, prompts, boundaries.at(-1), join(folder, name, "upstream.gguf"));
    report(`${architecture}: ${name} by llama.cpp's converter`, difference);
  }
  await model.dispose();
}
rmSync(scratch, { recursive: true });
await llama.dispose();
