import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sweepProcess } from "./arm-boundary.mjs";
import { runProcess } from "./process.mjs";

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A node-llama-cpp process; `env` is what its user sets. */
const byHand = (sequences, env) => (workload, file) =>
  viaFile(process.execPath, [beside("arm-node.mjs"), workload.file, file, String(sequences)], file, env);

/** A process that serves and asks. @param way restart, scales */
const server = (way, slots, cache) => (workload, file, needs) =>
  viaFile(
    process.execPath,
    [beside("arm-server.mjs"), workload.file, file, needs.llamaServer, way, String(slots), cache],
    file,
  );

const ours = (workload, file, needs) =>
  sweepProcess({
    model: workload.model,
    sweep: workload.sweep,
    boundaries: workload.boundaries.join(","),
    out: `${file}.run`,
    flags: needs.sweepFlags,
  });

/** Every arm: `kind` names the model's type, `group` the arms it competes with, `by` the arm whose tokens are its reference. */
export const arms = {
  a: { title: "boundary sweep", kind: "main", run: ours, by: "b" },
  b: { title: "node-llama-cpp, one sequence", kind: "main", run: byHand(1), by: "b" },
  b2: {
    title: "node-llama-cpp, up to 16 sequences, UV_THREADPOOL_SIZE=1",
    kind: "main",
    run: byHand(16, { UV_THREADPOOL_SIZE: "1" }),
    by: "b",
  },
  c: {
    title: "llama-server restarted for each K, 1 slot",
    kind: "main",
    run: server("restart", 1, "no-cache"),
    by: "b",
  },
  c2: {
    title: "llama-server, scales in requests, 1 slot",
    kind: "main",
    run: server("scales", 1, "no-cache"),
    by: "b",
  },
  "c2-8": {
    title: "llama-server, scales in requests, 8 slots",
    kind: "main",
    run: server("scales", 8, "no-cache"),
    by: "b",
  },
  "c-8": {
    title: "llama-server restarted for each K, 8 slots",
    kind: "main",
    run: server("restart", 8, "no-cache"),
    by: "b",
  },
  "c-cache": {
    title: "llama-server restarted for each K, 1 slot, prompt cache",
    kind: "main",
    run: server("restart", 1, "cache"),
    by: "b",
  },
  "c2-cache": {
    title: "llama-server, scales in requests, 1 slot, prompt cache",
    kind: "main",
    run: server("scales", 1, "cache"),
    by: "b",
  },
  "a-bf16": { title: "boundary sweep, BF16", kind: "bf16", run: ours, by: "b-bf16" },
  "b-bf16": { title: "node-llama-cpp, one sequence, BF16", kind: "bf16", run: byHand(1), by: "b-bf16" },
  d: {
    title: "PEFT + transformers, torch CPU, bf16",
    kind: "bf16",
    by: "b-bf16",
    run: (workload, file, needs) => viaFile(needs.python, [beside("arm-peft.py"), workload.file, file], file),
  },
};

/** The arms that a claim of ours is set against: the best of them. */
export const rivals = ["b", "b2", "c", "c2", "c2-8", "c-8", "c-cache", "c2-cache"];

function viaFile(command, args, file, env) {
  const measured = runProcess(command, args, env);
  return { ...measured, ...JSON.parse(readFileSync(file, "utf8")) };
}

/** Runs an arm once; its result stays in the work folder too. */
export function runArm(name, workload, round, folder, needs) {
  const results = join(folder, "results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `${workload.name}-${name}-${round}.json`);
  // Every arm meets its model in the page cache.
  readFileSync(workload.model);
  const result = arms[name].run(workload, file, needs);
  writeFileSync(file, JSON.stringify(result));
  return { arm: name, workload: workload.name, round, file, ...result };
}

/** Arm e: what the work of a run of arm a takes in a bare loop. */
export function runLimit(workload, { file, round }, folder) {
  const limit = join(folder, "results", `${workload.name}-e-${round}.json`);
  runProcess(process.execPath, [beside("limit.mjs"), workload.file, file, limit]);
  return { workload: workload.name, round, ...JSON.parse(readFileSync(limit, "utf8")) };
}

/** @param items as gap.mjs takes them */
export function gaps(workload, items, folder) {
  const [input, output] = ["items", "gaps"].map((name) => join(folder, "results", `${workload.name}-${name}.json`));
  writeFileSync(input, JSON.stringify(items));
  runProcess(process.execPath, [beside("gap.mjs"), workload.file, input, output]);
  return JSON.parse(readFileSync(output, "utf8"));
}
