// Time and peak memory of reading the first 200 samples of a large file of training data, beside those of a small one.
//
//   node eval/bench/large-data.mjs [MEGABYTES=200] [FILE ...]
//
// Writes JSONL, CSV and packed JSONL of chat rows; further files (Parquet, say) are read as they are.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGzip } from "node:zlib";
import { pipeline } from "node:stream/promises";

const [megabytes = "200", ...files] = process.argv.slice(2);
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const words = "the river runs past an old mill where nobody grinds any more ".repeat(8);
const folder = mkdtempSync(join(tmpdir(), "boundary-large-"));

function write(name, size, row, head = "") {
  const path = join(folder, name);
  const file = openSync(path, "w");
  let bytes = writeSync(file, head);
  for (let i = 0; bytes < size;) {
    let text = "";
    for (let end = i + 500; i < end; i++) text += row(i);
    bytes += writeSync(file, text);
  }
  closeSync(file);
  return path;
}

const jsonRow = (i) =>
  `${JSON.stringify({
    messages: [
      { role: "user", content: `${i}: ${words}?` },
      { role: "assistant", content: `Number ${i}.` },
    ],
  })}\n`;
const csvRow = (i) => `"${i}: ${words}?",Number ${i}.\n`;
const preload = `process.on("exit", () => process.stderr.write("\\npeak " + process.resourceUsage().maxRSS));`;

function read(path) {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [main, "data", path, "--limit", "200"], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(preload)}` },
  });
  const seconds = (performance.now() - started) / 1000;
  const peak = Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024;
  const failed = status === 0 ? "" : `, FAILED: ${stderr.split("\n")[0]}`;
  console.log(
    `${basename(path).padEnd(14)} ${(statSync(path).size / 1e6).toFixed(1).padStart(7)} MB: ${seconds.toFixed(2)} s, peak ${peak.toFixed(0)} MiB${failed}`,
  );
}

try {
  for (const [label, size] of [
    ["small", 1e6],
    ["large", 1e6 * Number(megabytes)],
  ]) {
    const jsonl = write(`${label}.jsonl`, size, jsonRow);
    const packed = `${jsonl}.gz`;
    await pipeline(createReadStream(jsonl), createGzip({ level: 1 }), createWriteStream(packed));
    for (const path of [jsonl, write(`${label}.csv`, size, csvRow, "prompt,completion\n"), packed]) read(path);
  }
  for (const path of files) read(path);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
