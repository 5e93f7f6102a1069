// What the benches of the queue share: a Redis server, workers and sweeps as processes of their own.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(root, "dist/cli/main.js");
const hurried = join(root, "eval/bench/hurried-queue.mjs");
export const demo = join(root, "eval/demo");

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A process in a group of its own, what it printed, and its end. `prefix` is put in front of the command: `ip netns exec NAME`. */
export function start(command, args, { prefix = [], env = {} } = {}) {
  const [program, ...rest] = [...prefix, command, ...args];
  const child = spawn(program, rest, { detached: true, env: { ...process.env, NO_COLOR: "1", ...env } });
  const started = { child, output: "", code: undefined };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => (started.output += text));
  }
  started.ended = new Promise((resolve) => {
    child.on("close", (code, signal) => {
      started.code = code ?? signal;
      resolve(started.code);
    });
  });
  started.signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended by itself.
    }
  };
  return started;
}

/** `boundary` with these arguments. `hurry` makes the waits of the queue shorter by that factor. */
export const boundary = (args, { hurry = 1, ...options } = {}) =>
  start(process.execPath, [...(hurry === 1 ? [cli] : [hurried, String(hurry)]), ...args], options);

/** Writes the demo's samples several times over, each time with another day in front, so that a sweep outlasts the faults. */
export function writeDemoSamples(path, copies) {
  const samples = readFileSync(join(demo, "validation.jsonl"), "utf8").trim().split("\n").map(JSON.parse);
  const rows = Array.from({ length: copies }, (_, i) =>
    samples.map((one) => ({ ...one, id: `${one.id}-${i}`, context: `On day ${i}. ${one.context}` })),
  ).flat();
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** A Redis server with an append-only file in `folder`. */
export async function redisServer(folder, port, { flags = [], prefix = [] } = {}) {
  const fixed = [
    "--port",
    String(port),
    "--save",
    "",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--dir",
    folder,
  ];
  const server = start("redis-server", [...fixed, ...flags], { prefix });
  while (!server.output.includes("Ready to accept connections")) {
    if (server.code !== undefined) throw new Error(server.output);
    await pause(20);
  }
  return server;
}

/** Arguments of a sweep over the demo, or over other samples for its model, that any machine repeats. */
export const demoSweep = (out, { data = join(demo, "validation.jsonl"), more = [] } = {}) => [
  ...["sweep", "--model", join(demo, "model.gguf"), "--adapter", join(demo, "adapter.gguf"), "--data", data],
  ...["--gpu", "off", "--threads", "1", "--rule", "best", "--fixed-batch", "--out", out, ...more],
];

/** Arguments of a worker on the demo's model. */
export const demoWorker = (name, cache, lockSeconds) => [
  ...["worker", "--model", join(demo, "model.gguf"), "--name", name, "--gpu", "off", "--threads", "1"],
  ...["--cache", cache, "--lock-seconds", String(lockSeconds)],
];

/** `result.json` without its timings. */
export function resultOf(folder) {
  const result = JSON.parse(readFileSync(join(folder, "result.json"), "utf8"));
  delete result.timings;
  return JSON.stringify(result);
}

/** Rows in a run's journal, and how many keys they have. */
export function journalOf(folder) {
  const lines = readFileSync(join(folder, "journal.jsonl"), "utf8").split("\n").slice(0, -1);
  return { rows: lines.length, keys: new Set(lines.map((line) => JSON.parse(line).key)).size };
}
