// Peak memory of a sweep against the number of boundaries and of samples, as ratios in one run.
//
//   node eval/bench/memory.mjs [MODEL ADAPTER DATA]      (default: the demo)
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const demo = (name) => join(root, "eval/demo", name);
const [model = demo("model.gguf"), adapter = demo("adapter.gguf"), data = demo("validation.jsonl")] =
  process.argv.slice(2);

function peaks(boundaries, limit) {
  const out = mkdtempSync(join(tmpdir(), "boundary-memory-"));
  try {
    const flags = ["--model", model, "--adapter", adapter, "--data", data, "--gpu", "off", "--holdout", "0"];
    const sizes = [
      "--boundaries",
      boundaries,
      "--limit",
      String(limit),
      "--context-size",
      "1024",
      "--out",
      join(out, "run"),
      "--json",
    ];
    const stdout = execFileSync(process.execPath, [join(root, "dist/cli/main.js"), "sweep", ...flags, ...sizes], {
      maxBuffer: 1 << 28,
    });
    const { timings, candidates } = JSON.parse(stdout);
    return {
      candidates: candidates.length,
      engine: timings.enginePeakBytes / 1e6,
      own: timings.ownPeakBytes / 1e6,
      seconds: timings.wallSeconds,
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const rows = [
  ["two boundaries, 8 samples", peaks("0,full", 8)],
  ["all boundaries, 8 samples", peaks("all", 8)],
  ["two boundaries, 32 samples", peaks("0,full", 32)],
];
const [, first] = rows[0];
for (const [title, { candidates, engine, own, seconds }] of rows) {
  const ratio = (value, base) => (value / base).toFixed(2);
  console.log(
    `${title}: ${candidates} candidates, engine ${engine.toFixed(0)} MB (x${ratio(engine, first.engine)}), ` +
      `boundary itself ${own.toFixed(0)} MB (x${ratio(own, first.own)}), ${seconds.toFixed(1)} s`,
  );
}
