// Throughput and time to first token of `boundary serve` against llama-server of the same llama.cpp release, with the same base model and
// the same trimmed adapter, at 1, 4 and 16 clients, in one run. eval/judge/build-llama-server.sh builds llama-server.
//
//   node eval/bench/serve-throughput.mjs --llama-server PATH [--model GGUF --adapter GGUF --data JSONL] [--keep K] [--tokens 64]
//     [--requests 32] [--threads N] [--rounds 2] [--only exact|batched|llama-server]      (default: the demo at K = 2/3 of the layers)
//
// The two take turns, a round each, so that a noisy machine is noisy for both. Prompts differ: nothing but the system's own start of a
// prompt can be reused. Each server has 16 sequences of the same size and reads prompts in batches of 512.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { freePort } from "./free-port.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const load = (file) => import(pathToFileURL(join(root, "dist", file)));
const demo = (name) => join(root, "eval/demo", name);
const { values: args } = parseArgs({
  options: {
    "llama-server": { type: "string" },
    model: { type: "string", default: demo("model.gguf") },
    adapter: { type: "string", default: demo("adapter.gguf") },
    data: { type: "string", default: demo("validation.jsonl") },
    keep: { type: "string" },
    tokens: { type: "string", default: "64" },
    requests: { type: "string", default: "32" },
    threads: { type: "string" },
    rounds: { type: "string", default: "2" },
    only: { type: "string" },
  },
});
const SEQUENCES = 16;
const CONTEXT = 1024;
const [tokens, requests, rounds] = [args.tokens, args.requests, args.rounds].map(Number);
const { usableCores } = await load("engine/machine.js");
const threads = args.threads ?? String(usableCores());

const { readBaseModel } = await load("adapter/base-model.js");
const { loadGgufAdapter } = await load("adapter/load-gguf-adapter.js");
const { boundaryMask } = await load("adapter/mask.js");
const { trimAdapter } = await load("adapter/trim.js");
const folder = mkdtempSync(join(tmpdir(), "boundary-throughput-"));
const { layerCount } = await readBaseModel(args.model);
const keep = Number(args.keep ?? Math.round((2 * layerCount) / 3));
const adapter = await loadGgufAdapter(args.adapter);
const trimmed = join(folder, "trimmed.gguf");
await trimAdapter(
  adapter,
  boundaryMask(adapter.modules, layerCount, keep),
  trimmed,
  { sourceSha256: "-", boundary: keep, command: "bench" },
  { overwrite: true },
);
const rows = readFileSync(args.data, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const prompts = rows.map(
  ({ context, question }, i) => `(${i}) ${context ?? ""}\n\n${question}\n\nTell all you know about it.`,
);

const serveFlags = [
  "--model",
  args.model,
  "--adapter",
  trimmed,
  "--gpu",
  "off",
  "--log-level",
  "error",
  "--queue",
  "256",
];
const sizes = [
  "--parallel",
  String(SEQUENCES),
  "--context-size",
  String(CONTEXT),
  "--contexts",
  "1",
  "--threads",
  threads,
];
const boundary = (...more) => [
  process.execPath,
  join(root, "dist/cli/main.js"),
  "serve",
  ...serveFlags,
  ...sizes,
  ...more,
];
const systems = {
  "boundary serve": (port) => boundary("--exact", "--port", String(port)),
  "boundary serve --no-exact": (port) => boundary("--no-exact", "--port", String(port)),
  "llama-server": (port) => [
    args["llama-server"],
    ...[
      "-m",
      args.model,
      "--lora",
      trimmed,
      "--port",
      String(port),
      "--host",
      "127.0.0.1",
      "-t",
      threads,
      "-tb",
      threads,
    ],
    ...[
      "-np",
      String(SEQUENCES),
      "-c",
      String(SEQUENCES * CONTEXT),
      "-b",
      "512",
      "-ub",
      "512",
      "-fa",
      "auto",
      "--no-webui",
    ],
    ...["--log-disable", "--jinja"],
  ],
};
const chosen = Object.keys(systems).filter((name) => {
  if (name === "llama-server" && args["llama-server"] === undefined) return false;
  const only = { exact: "boundary serve", batched: "boundary serve --no-exact", "llama-server": "llama-server" }[
    args.only
  ];
  return only === undefined || only === name;
});

const children = new Set();

async function start(name) {
  const port = await freePort();
  const [command, ...flags] = systems[name](port);
  const child = spawn(command, flags, { stdio: ["ignore", "ignore", "inherit"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 600; attempt++) {
    const ok = await fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return { url, stop: () => new Promise((resolve) => (child.once("exit", resolve), child.kill("SIGTERM"))) };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${name} did not start`);
}

async function ask(url, prompt) {
  const started = performance.now();
  const body = {
    model: "full",
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    max_tokens: tokens,
  };
  const request = http.request(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    // A connection for each request: llama-server ends kept ones now and then, in the middle of what comes next.
    agent: false,
  });
  request.end(JSON.stringify({ ...body, messages: [{ role: "user", content: prompt }] }));
  const [response] = await once(request, "response");
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}`);
  let text = "";
  let first;
  for await (const bytes of response) {
    text += Buffer.from(bytes).toString("utf8");
    if (first === undefined && /"content":"[^"]/.test(text)) first = performance.now() - started;
  }
  const usage = [...text.matchAll(/^data: (\{.*"completion_tokens".*\})$/gm)].map(
    (match) => JSON.parse(match[1]).usage,
  );
  return {
    first: first ?? performance.now() - started,
    tokens: usage.at(-1)?.completion_tokens ?? 0,
    prompt: usage.at(-1)?.prompt_tokens ?? 0,
  };
}

const quantile = (values, q) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))];
let promptAt = 0;

async function measure(url, clients) {
  const answers = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < requests) {
        next += 1;
        answers.push(await ask(url, prompts[promptAt++ % prompts.length]));
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const sum = (pick) => answers.reduce((total, answer) => total + pick(answer), 0);
  return {
    generated: sum((answer) => answer.tokens) / seconds,
    all: sum((answer) => answer.tokens + answer.prompt) / seconds,
    first: answers.map((answer) => answer.first),
  };
}

try {
  console.log(
    `K=${keep} of ${layerCount}, ${threads} threads, ${requests} requests a round, at most ${tokens} tokens, ${rounds} rounds`,
  );
  const results = new Map();
  for (let round = 0; round < rounds; round++) {
    for (const name of chosen) {
      promptAt = round * 3 * requests;
      const { url, stop } = await start(name);
      await measure(url, 1).catch(() => undefined);
      for (const clients of [1, 4, 16]) {
        const key = `${clients}\t${name}`;
        results.set(key, [...(results.get(key) ?? []), await measure(url, clients)]);
      }
      await stop();
    }
  }
  console.log(
    ["clients", "server".padEnd(26), "generated tok/s", "with prompts", "first token ms, median", "p95"].join("  "),
  );
  for (const clients of [1, 4, 16]) {
    for (const name of chosen) {
      const measured = results.get(`${clients}\t${name}`);
      const best = (pick) => Math.max(...measured.map(pick)).toFixed(1);
      const first = measured.flatMap((one) => one.first);
      const cells = [String(clients).padStart(7), name.padEnd(26), best((one) => one.generated).padStart(15)];
      const rest = [
        best((one) => one.all).padStart(12),
        quantile(first, 0.5).toFixed(0).padStart(22),
        quantile(first, 0.95).toFixed(0),
      ];
      console.log([...cells, ...rest].join("  "));
    }
  }
} finally {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
