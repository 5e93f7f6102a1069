// Many short requests of mixed masks against a running `boundary serve`: memory of both processes, latency of /health under load, and
// whether every answer is that of the same request sent alone. Some clients stream, some go away in the middle.
//
//   node eval/bench/serve-soak.mjs [REQUESTS [CLIENTS [MODEL ADAPTER]]]      (default: 10000 requests, 16 clients, the demo)
// THREADS=1 for a busy machine: llama.cpp's threads spin while they wait for each other. MASKS=4 is one more than there are contexts, so
// that contexts come and go all the time; MASKS=3 lets them stay.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const demo = (name) => join(root, "eval/demo", name);
const requests = Number(process.argv[2] ?? 10_000);
const clients = Number(process.argv[3] ?? 16);
const [model = demo("model.gguf"), adapter = demo("adapter.gguf")] = process.argv.slice(4);
const STEP = Math.min(1000, Math.ceil(requests / 10));
/** Milliseconds between two looks at /health. */
const HEALTH_EVERY = 50;

const flags = ["--model", model, "--adapter", adapter, "--gpu", "off", "--port", "0", "--log-level", "warn"];
if (process.env.THREADS !== undefined) flags.push("--threads", process.env.THREADS);
const server = spawn(process.execPath, [join(root, "dist/cli/main.js"), "serve", ...flags], {
  stdio: ["ignore", "pipe", "inherit"],
});
const url = await new Promise((resolve, reject) => {
  server.stdout.setEncoding("utf8").on("data", (text) => resolve(text.slice(0, text.indexOf("/v1"))));
  server.on("exit", (code) => reject(new Error(`boundary serve ended with ${code}`)));
});

const { layers } = await (await fetch(`${url}/v1/boundary/info`)).json();
const questions = readFileSync(demo("validation.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const masks = ["base", "full", `boundary-${Math.round(layers / 2)}`, `boundary-${layers - 1}`].slice(
  0,
  Number(process.env.MASKS ?? 4),
);
const bodies = Array.from({ length: 48 }, (_, i) => {
  const { question, context } = questions[i % questions.length];
  const content = `Answer the question with a short span from the context.\n\nContext: ${context}\n\nQuestion: ${question}`;
  return { model: masks[i % masks.length], messages: [{ role: "user", content }], max_tokens: 12 };
});

async function ask(body, { stream = false, cancel = false } = {}) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ ...body, stream }),
    headers: { "content-type": "application/json" },
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  if (!stream) return (await response.json()).choices[0].message.content;
  let text = "";
  for await (const bytes of response.body) {
    text += Buffer.from(bytes).toString("utf8");
    // The rest is not read, which ends the connection.
    if (cancel) return undefined;
  }
  const events = text.split("\n\n").filter((event) => event.startsWith("data: {"));
  return events.map((event) => JSON.parse(event.slice(6)).choices[0]?.delta?.content ?? "").join("");
}

async function memory() {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN) / 1e6;
  return { server: value("boundary_process_resident_memory_bytes"), engine: value("boundary_engine_resident_bytes") };
}

const quantile = (values, q) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN;

const alone = [];
for (const body of bodies) alone.push(await ask(body));

let health = [];
let running = true;
const watching = (async () => {
  while (running) {
    const started = performance.now();
    await (await fetch(`${url}/health`)).text();
    health.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, HEALTH_EVERY));
  }
})();

const counts = { done: 0, next: 0, wrong: 0, cancelled: 0, failed: 0 };
const cell = (value, width = 10) => String(value).padStart(width);
console.log(`${requests} requests, ${clients} clients, masks ${masks.join(", ")}; memory in MB, /health in ms`);
console.log(
  ["requests", "server", "engine", "health p50", "health p99", "req/s"].map((title) => cell(title, 12)).join(""),
);
const before = await memory();
console.log(
  [0, before.server.toFixed(1), before.engine.toFixed(1), "", "", ""].map((value) => cell(value, 12)).join(""),
);
const marks = [];
let allHealth = [];
let started = performance.now();

async function mark() {
  const { server: own, engine } = await memory();
  const seconds = (performance.now() - started) / 1000;
  started = performance.now();
  marks.push({ own, engine });
  const row = [
    counts.done,
    own.toFixed(1),
    engine.toFixed(1),
    quantile(health, 0.5).toFixed(1),
    quantile(health, 0.99).toFixed(1),
    (STEP / seconds).toFixed(0),
  ];
  console.log(row.map((value) => cell(value, 12)).join(""));
  allHealth = allHealth.concat(health);
  health = [];
}

await Promise.all(
  Array.from({ length: clients }, async () => {
    while (counts.next < requests) {
      const i = counts.next++;
      const which = i % bodies.length;
      try {
        const text = await ask(bodies[which], { stream: i % 3 === 0, cancel: i % 30 === 0 });
        if (text === undefined) counts.cancelled += 1;
        else if (text !== alone[which]) counts.wrong += 1;
      } catch (error) {
        counts.failed += 1;
        if (counts.failed < 5) console.error(String(error));
      }
      counts.done += 1;
      if (counts.done % STEP === 0) await mark();
    }
  }),
);
running = false;
await watching;
const [first, last] = [marks[0], marks.at(-1)];
const perThousand = (name) => ((1000 * (last[name] - first[name])) / (STEP * (marks.length - 1))).toFixed(2);
console.log(
  `after the first ${STEP}: server ${perThousand("own")} MB, engine ${perThousand("engine")} MB for every 1,000 requests`,
);
console.log(`/health p99 ${quantile(allHealth, 0.99).toFixed(1)} ms over ${allHealth.length} looks`);
console.log(
  `${counts.wrong} answers differ from the same request alone, ${counts.cancelled} clients went away, ${counts.failed} requests failed`,
);
server.removeAllListeners("exit");
const ended = new Promise((resolve) => server.on("exit", (code) => resolve(code)));
server.kill("SIGTERM");
console.log(`SIGTERM: exit code ${await ended}`);
process.exitCode = counts.wrong + counts.failed > 0 ? 1 : 0;
