// Trimming and converting an adapter of the size that a 7B model has: 32 layers, d=4096, r=64, all seven modules, F32 (about 650 MB).
// Prints time against `cp` of the same file and peak memory above that of an idle Node.
//
//   node eval/bench/large-adapter.mjs [FOLDER for 3 GB of scratch files]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { writeGguf } = await import(pathToFileURL(join(root, "dist/formats/gguf-writer.js")));
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), "boundary-large-"));
const at = (name) => join(folder, name);

const [D, FF, LAYERS, RANK] = [4096, 11008, 32, 64];
const shapes = [
  ["attn_q", D, D],
  ["attn_k", D, D],
  ["attn_v", D, D],
  ["attn_output", D, D],
  ["ffn_gate", D, FF],
  ["ffn_up", D, FF],
  ["ffn_down", FF, D],
];
const F32 = { name: "F32", blockSize: 1, blockBytes: 4 };
const text = (value) => ({ type: "string", value });
const uint32 = (value) => ({ type: "uint32", value });

function tensor(name, dims) {
  const length = dims[0] * dims[1];
  return {
    name,
    dims,
    type: F32,
    byteLength: 4 * length,
    data: () => [new Uint8Array(Float32Array.from({ length }, (_, i) => ((i * 2654435761) % 1000) / 1e5).buffer)],
  };
}

const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
const adapterMetadata = new Map([
  ["general.architecture", text("llama")],
  ["general.type", text("adapter")],
  ["adapter.type", text("lora")],
  ["adapter.lora.alpha", { type: "float32", value: 128 }],
]);
await writeGguf(
  at("adapter.gguf"),
  adapterMetadata,
  layers.flatMap((layer) =>
    shapes.flatMap(([module, input, output]) => [
      tensor(`blk.${layer}.${module}.weight.lora_a`, [input, RANK]),
      tensor(`blk.${layer}.${module}.weight.lora_b`, [RANK, output]),
    ]),
  ),
);
// A base of the right shapes in the smallest type there is (1.3 GB): its header is looked at, its data is not read.
const IQ1 = { name: "IQ1_S", blockSize: 256, blockBytes: 50 };
const baseMetadata = new Map([
  ["general.architecture", text("llama")],
  ["general.type", text("model")],
  ["llama.block_count", uint32(LAYERS)],
  ["llama.embedding_length", uint32(D)],
  ["llama.attention.head_count", uint32(32)],
]);
const zero = new Uint8Array(1 << 20);
function* zeros(bytes) {
  for (let done = 0; done < bytes; done += zero.length) yield zero.subarray(0, Math.min(zero.length, bytes - done));
}
const baseTensor = (name, dims) => {
  const byteLength = (dims[0] * dims[1] * IQ1.blockBytes) / IQ1.blockSize;
  return { name, dims, type: IQ1, byteLength, data: () => zeros(byteLength) };
};
await writeGguf(at("base.gguf"), baseMetadata, [
  baseTensor("output.weight", [D, 32]),
  ...layers.flatMap((layer) =>
    shapes.map(([module, input, output]) => baseTensor(`blk.${layer}.${module}.weight`, [input, output])),
  ),
]);

const reportPeak = `data:text/javascript,process.on("exit",()=>console.error("PEAK "+process.resourceUsage().maxRSS))`;

const peakOf = ({ stderr }) => Number(/PEAK (\d+)/.exec(stderr)[1]) / 1024;

/** Runs the command line in a process of its own: seconds from start to end, and its peak resident memory in MB. */
function run(title, args) {
  const started = performance.now();
  const main = join(root, "dist/cli/main.js");
  const { status, stderr } = spawnSync(process.execPath, ["--import", reportPeak, main, ...args], { encoding: "utf8" });
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`${title}: ${stderr}`);
  return { seconds, peak: peakOf({ stderr }) };
}

/** Seconds of `cp` to a path where nothing is yet, with the data on the disk at the end, as boundary leaves it. */
function copy(from, to) {
  rmSync(to, { force: true });
  const started = performance.now();
  execFileSync("cp", [from, to]);
  execFileSync("sync", [to]);
  return (performance.now() - started) / 1000;
}

try {
  const idle = peakOf(spawnSync(process.execPath, ["--import", reportPeak, "--eval", ""], { encoding: "utf8" }));
  const size = statSync(at("adapter.gguf")).size;
  console.log(`adapter ${(size / 1e6).toFixed(0)} MB; an idle Node: peak ${idle.toFixed(0)} MB`);
  const adapter = at("adapter.gguf");
  const convert = ["--model", at("base.gguf")];
  // Each takes turns with cp of the same bytes to the same disk, so that both meet the same weather.
  const jobs = [
    ["trim --keep 32 (all of it)", ["trim", adapter, "--keep", "32", "--out", at("whole.gguf")]],
    ["trim --keep 16", ["trim", adapter, "--keep", "16", "--out", at("half.gguf")]],
    ["convert GGUF to PEFT", ["convert", adapter, ...convert, "--out", at("peft")]],
    ["convert PEFT to GGUF", ["convert", at("peft"), ...convert, "--out", at("back.gguf")]],
    ["trim a PEFT folder --keep 32", ["trim", at("peft"), "--keep", "32", "--out", at("peft-trimmed")]],
  ];
  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
  const fastest = (values) => Math.min(...values);
  console.log(
    "\n| job | seconds | cp + sync | ratio | ratio of the fastest | peak MB above idle |\n|---|---|---|---|---|---|",
  );
  for (const [title, args] of jobs) {
    const pairs = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(() => {
      for (const old of [args.at(-1), `${args.at(-1)}.Modelfile`]) rmSync(old, { recursive: true, force: true });
      return { ...run(title, args), cp: copy(adapter, at("copy")) };
    });
    const [ours, copies] = [pairs.map((pair) => pair.seconds), pairs.map((pair) => pair.cp)];
    const [seconds, cp] = [median(ours), median(copies)];
    const best = fastest(ours) / fastest(copies);
    const peak = Math.max(...pairs.map((pair) => pair.peak)) - idle;
    const cells = [
      title,
      seconds.toFixed(2),
      cp.toFixed(2),
      (seconds / cp).toFixed(2),
      best.toFixed(2),
      peak.toFixed(0),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
