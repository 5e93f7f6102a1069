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
// A base of the right shapes whose data nobody reads: a sparse file of Q4_0 would do, but the header is all that is looked at.
const Q8 = { name: "Q8_0", blockSize: 32, blockBytes: 34 };
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
  const byteLength = (dims[0] * dims[1] * Q8.blockBytes) / Q8.blockSize;
  return { name, dims, type: Q8, byteLength, data: () => zeros(byteLength) };
};
// One layer's weights are enough for shapes, repeated under every layer's name: 7 GB would only slow the bench down.
const small = process.env.FULL_BASE === "1" ? layers : [];
await writeGguf(at("base.gguf"), baseMetadata, [
  baseTensor("output.weight", [D, 32]),
  ...small.flatMap((layer) =>
    shapes.map(([module, input, output]) => baseTensor(`blk.${layer}.${module}.weight`, [input, output])),
  ),
]);

function run(title, args) {
  const script = `process.argv=[process.argv[0],"boundary",...${JSON.stringify(args)}];process.on("exit",()=>console.error("PEAK "+process.resourceUsage().maxRSS));await import(${JSON.stringify(pathToFileURL(join(root, "dist/cli/main.js")).href)})`;
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`${title}: ${stderr}`);
  const peak = Number(/PEAK (\d+)/.exec(stderr)[1]) / 1024;
  return { title, seconds, peak };
}

function copy(from, to) {
  const started = performance.now();
  execFileSync("cp", [from, to]);
  execFileSync("sync", [to]);
  return (performance.now() - started) / 1000;
}

try {
  const idle = run("idle", ["--version"]);
  console.log(
    `adapter ${(statSync(at("adapter.gguf")).size / 1e6).toFixed(0)} MB; idle boundary ${idle.peak.toFixed(0)} MB`,
  );
  const copies = [1, 2, 3].map((i) => copy(at("adapter.gguf"), at(`copy-${i}`))).sort((a, b) => a - b);
  const cp = copies[1];
  console.log(`cp and sync: ${cp.toFixed(2)} s (median of 3)`);
  const jobs = [
    ["trim --keep 32 (all of it)", ["trim", at("adapter.gguf"), "--keep", "32", "--out", at("whole.gguf"), "--force"]],
    ["trim --keep 16", ["trim", at("adapter.gguf"), "--keep", "16", "--out", at("half.gguf"), "--force"]],
  ];
  for (const [title, args] of jobs) {
    const runs = [1, 2, 3].map(() => run(title, args)).sort((a, b) => a.seconds - b.seconds);
    const { seconds, peak } = runs[1];
    console.log(
      `${title}: ${seconds.toFixed(2)} s (${(seconds / cp).toFixed(2)}x cp), peak ${(peak - idle.peak).toFixed(0)} MB above idle`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
