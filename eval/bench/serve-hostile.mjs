// Hostile and mutated requests against a `boundary serve` of its own, with a normal request of 4 tokens in the middle of each, and looks
// at /health all the while. Same seed, same requests. Exits with 1 when a bound is broken: an answer after 5 s, a status of 500, an
// error in another shape than OpenAI's, a stack trace or a path, a normal request 2 s slower than alone, /health slower than 100 ms.
//
//   node eval/bench/serve-hostile.mjs [REQUESTS [SEED [MODEL ADAPTER]]]      (default: 1000 requests, seed 1, the demo)
// PATIENCE=5 makes the bounds on times five times as long, for a busy machine.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { seededRandom } from "./seeded-random.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const requests = Number(process.argv[2] ?? 1000);
const [model = join(root, "eval/demo/model.gguf"), adapter = join(root, "eval/demo/adapter.gguf")] =
  process.argv.slice(4);
const patience = Number(process.env.PATIENCE ?? 1);
const DEADLINE_MS = 5000 * patience;
const SLOWER_MS = 2000 * patience;
const HEALTH_MS = 100 * patience;
const HEALTH_EVERY = 20;
/** Milliseconds after which the normal request follows the hostile one. */
const INTO = 10;

const random = seededRandom(Number(process.argv[3] ?? 1));
const upTo = (n) => Math.floor(random() * n);
const pick = (items) => items[upTo(items.length)];
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

const flags = ["--model", model, "--adapter", adapter, "--gpu", "off", "--port", "0", "--log-level", "fatal"];
flags.push("--max-seconds", "4", "--max-tokens", "64", "--threads", process.env.THREADS ?? "1");
const server = spawn(process.execPath, [join(root, "dist/cli/main.js"), "serve", ...flags], {
  stdio: ["ignore", "pipe", "inherit"],
});
process.once("exit", () => server.kill("SIGKILL"));
let ended = false;
const url = await new Promise((resolve, reject) => {
  server.stdout.setEncoding("utf8").on("data", (text) => resolve(text.slice(0, text.indexOf("/v1"))));
  server.on("exit", (code) => {
    ended = true;
    reject(new Error(`boundary serve ended with ${code}`));
  });
});
const port = Number(new URL(url).port);

const chat = (more = {}) => ({
  model: "full",
  max_tokens: 16,
  messages: [{ role: "user", content: "Who is it?" }],
  ...more,
});
const completion = (more = {}) => ({ model: "base", max_tokens: 16, prompt: "Who is it?", ...more });
const bySchema = (schema) => chat({ response_format: { type: "json_schema", json_schema: { name: "x", schema } } });
const a = { $ref: "#/$defs/a" };
const recursive = (...anyOf) => ({ ...a, $defs: { a: { anyOf } } });
function nest(levels, wrap, inner) {
  let nested = inner;
  for (let i = 0; i < levels; i++) nested = wrap(nested);
  return nested;
}
const list = (items, minItems, maxItems) => ({ type: "array", items, minItems, maxItems });

/** Schemas that cost grammars dearly, each of a kind, with sizes drawn anew. */
const schemas = [
  () => ({ enum: times(pick([10, 999, 1001, 100_000]), (i) => `v${i}`) }),
  () => ({ enum: times(1000, (i) => `${"x".repeat(upTo(119))}${i}`) }),
  () => ({ const: "x".repeat(pick([1, 1000, 119_000, 500_000])) }),
  () => ({ const: pick(["\u0000", "\b\f", '"\\', "\ud800", "]]>", "é", 1e308, -0, null]) }),
  () => recursive({ type: "array", prefixItems: [a], minItems: 1 }, list(a, 1), list(a, 2)),
  () => recursive({ type: "null" }, ...times(1 + upTo(400), (i) => list(a, i % 7))),
  () =>
    recursive(
      { type: "string" },
      ...times(2 + upTo(60), (i) => ({ type: "array", prefixItems: times(1 + (i % 3), () => a) })),
    ),
  () => recursive(a, { type: "null" }),
  () => ({ ...a, $defs: { a: { $ref: "#/$defs/b" }, b: { anyOf: [a] } } }),
  () => ({ ...a, $defs: Object.fromEntries([["a", { type: "object", properties: { x: a } }]]) }),
  () => ({
    $ref: "#/$defs/d0",
    $defs: Object.fromEntries(
      times(60, (i) => [
        `d${i}`,
        i === 59 ? { type: "null" } : { type: "array", prefixItems: times(8, () => ({ $ref: `#/$defs/d${i + 1}` })) },
      ]),
    ),
  }),
  () => nest(pick([5, 20, 30, 3000]), (inner) => list(inner, 0, pick([1, 1000])), { type: "string" }),
  () =>
    nest(pick([4, 8]), (inner) => ({ anyOf: [list(inner), { type: "array", prefixItems: [inner] }] }), {
      type: "string",
    }),
  () => nest(3, (inner) => list(inner, 1000, 1000), { type: "string", minLength: 1000 }),
  () => list({ type: "null" }, pick([0, 999, 100_000]), pick([999, 1000, 1e6, 1e308])),
  () => ({ type: "string", minLength: pick([0, 1000, 1e6]), maxLength: pick([1000, 1e6, -1, 0.5]) }),
  () => ({ anyOf: times(pick([10, 300]), (i) => ({ type: "string", minLength: i, maxLength: 1000 })) }),
  () => ({
    type: "object",
    properties: Object.fromEntries(times(pick([10, 480, 5000]), (i) => [`p${i}`, { type: "integer" }])),
  }),
  () => ({
    type: "object",
    additionalProperties: list({ type: "object", additionalProperties: true }),
    minProperties: 500,
  }),
  () => ({ type: "string", pattern: "((a*)*)*b" }),
  () => ({ type: "integer", minimum: -1e300, maximum: 1e300 }),
  () => ({ allOf: times(20, () => ({ anyOf: [{ type: "string" }, { type: "null" }] })) }),
  () => ({ anyOf: [] }),
  () => ({ type: [] }),
  () => ({ type: ["array", "object", "string", "null"], items: a, $defs: { a: { type: "string" } } }),
  () => ({ properties: { constructor: { type: "null" }, toString: { enum: [true] } } }),
  () => ({ $ref: pick(["#/$defs/constructor", "#", "#/", "#/$defs/a/b", "file:///etc/passwd"]), $defs: {} }),
];

const odd = [
  ...[null, true, -1, 0, 1.5, 1e308, 2 ** 53, -(2 ** 53), "", "\u0000", "\ud800", "%", [], {}, [[]], [null]],
  ...[
    "x".repeat(200_000),
    times(20_000, () => "a"),
    { a: { b: [] } },
    "__proto__",
    "boundary--1",
    "boundary-99999999999999999999",
  ],
];

/** A copy of a value in which one place is odd. */
function mutated(value) {
  if (typeof value !== "object" || value === null || random() < 0.15) return pick(odd);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const key = pick(Object.keys(copy));
  if (key === undefined) return pick(odd);
  if (random() < 0.1 && !Array.isArray(copy)) delete copy[key];
  else copy[key] = mutated(copy[key]);
  return copy;
}

const full = () =>
  pick([
    chat({
      stop: ["a"],
      logit_bias: { 5: 1 },
      temperature: 1,
      top_p: 0.5,
      seed: 3,
      logprobs: true,
      top_logprobs: 2,
      stream: pick([true, false]),
    }),
    completion({
      logprobs: 2,
      presence_penalty: 1,
      frequency_penalty: 1,
      min_p: 0.1,
      top_k: 4,
      stream: pick([true, false]),
    }),
    bySchema({ type: "object", properties: { name: { type: "string" }, n: { enum: [1, 2] } } }),
    chat({ response_format: { type: "json_object" }, temperature: 2 }),
  ]);

/** Requests that are large in every way that their form allows. */
const large = [
  () => chat({ messages: times(20_000, () => ({ role: pick(["user", "assistant"]), content: "a" })) }),
  () => chat({ messages: [{ role: "user", content: "a ".repeat(400_000) }] }),
  () => completion({ prompt: pick(["a", " ", "\n", "é", "0", "<|im_start|>"]).repeat(150_000) }),
  () => completion({ prompt: times(100_000, () => upTo(1024)) }),
  () => completion({ prompt: [upTo(2000), pick([1023, 1024, 2 ** 31, 2 ** 32, 2 ** 53])] }),
  () => chat({ logit_bias: Object.fromEntries(times(pick([1000, 60_000]), (i) => [i, 100])) }),
  () => chat({ stop: times(pick([16, 17, 5000]), () => "a".repeat(pick([1, 999, 1001, 50_000]))) }),
  () => chat({ n: 1e9 }),
  () => completion({ best_of: 100 }),
  () => chat({ tools: [{ type: "function", function: { name: "x", parameters: pick(schemas)() } }] }),
  () => chat({ messages: nest(3000, (inner) => [inner], []) }),
  () => completion({ max_tokens: pick([1e9, 2 ** 53]), stream: true }),
];

/** What is not even the JSON of a request, as raw HTTP. */
const raw = [
  () => `GET /${pick(["%ff", "%", "%zz", "%c0%80", "..%2f..", "v1/models/%E0%A4%A"])} HTTP/1.1\r\n`,
  () =>
    `${pick(["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "OPTIONS", "FOO", "get"])} /v1/chat/completions HTTP/1.1\r\n`,
  () => `GET /v1/models/${"a".repeat(upTo(20_000))} HTTP/1.1\r\n`,
  () => `GET /health HTTP/${pick(["1.2", "9.9", "x"])}\r\n`,
  () => `GET /health HTTP/1.1\r\nX-A: ${"x".repeat(20_000)}\r\n`,
  () => `GET /health HTTP/1.1\r\n${times(3000, (i) => `X-${i}: a`).join("\r\n")}\r\n`,
  () => `GET /v1/boundary/samples?limit=${pick(["x", "-1", "1e9", "%ff"])} HTTP/1.1\r\n`,
  () =>
    `POST /v1/completions HTTP/1.1\r\nContent-Type: ${pick(["text/plain", "application/xml", "a", "", "application/json; charset=utf-7"])}\r\nContent-Length: 2\r\n\r\n{}`,
  () =>
    `POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${pick(["-1", "x", "99999999999", "1, 2"])}\r\n\r\n{}`,
  () => "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  () =>
    "POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nExpect: moon\r\nContent-Length: 2\r\n\r\n{}",
  () => `${times(200, () => String.fromCharCode(upTo(256))).join("")}\r\n`,
];

/** The bytes of a body, damaged. */
function damaged(text) {
  const bytes = Buffer.from(text);
  const at = upTo(bytes.length);
  return pick([
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.of(upTo(256)), bytes.subarray(at + 1)]),
    () => Buffer.concat([Buffer.from("\ufeff"), bytes]),
    () => Buffer.concat([bytes, bytes]),
    () => Buffer.from(`{"__proto__": ${text}}`),
    () => Buffer.from("[".repeat(500_000)),
    () => Buffer.from(text.replace(/\d+/, pick(["NaN", "1e999", "0x10", "-"]))),
  ])();
}

async function post(path, body, deadline = DEADLINE_MS) {
  const from = performance.now();
  try {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(deadline),
    });
    return { status: response.status, text: await response.text(), ms: performance.now() - from };
  } catch (error) {
    return { status: 0, text: String(error), ms: performance.now() - from };
  }
}

function send(head) {
  const from = performance.now();
  const text = head.includes("\r\n\r\n") ? head : `${head}\r\n`;
  const bytes = text.replace(/\r\n/, "\r\nHost: localhost\r\nConnection: close\r\n");
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const end = () => {
      clearTimeout(late);
      socket.destroy();
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
      resolve({ status, text: answer.slice(answer.indexOf("\r\n\r\n") + 4), ms: performance.now() - from });
    };
    const late = setTimeout(end, DEADLINE_MS);
    socket.setEncoding("utf8").on("data", (piece) => (answer += piece));
    socket.once("close", end);
    socket.once("error", end);
    socket.write(bytes, "latin1");
  });
}

/** A hostile request: its kind, and what sends it. */
function hostile() {
  const body = (value) => JSON.stringify(value);
  const pathOf = (value) =>
    value !== null && typeof value === "object" && "prompt" in value ? "/v1/completions" : "/v1/chat/completions";
  const kind = pick(["schema", "schema", "mutated", "mutated", "large", "damaged", "raw"]);
  if (kind === "raw") {
    const head = pick(raw)();
    return { kind, what: head.slice(0, 80), send: () => send(head) };
  }
  const value =
    kind === "schema"
      ? bySchema(pick(schemas)())
      : kind === "large"
        ? pick(large)()
        : kind === "mutated"
          ? mutated(full())
          : full();
  const bytes = kind === "damaged" ? damaged(body(value)) : body(value);
  const path = pathOf(value);
  return {
    kind,
    what: `${path} ${String(bytes).slice(0, 200)}`,
    send: async () => ({ ...(await post(path, bytes)), isTooLarge: Buffer.byteLength(bytes) > 2 ** 20 }),
  };
}

/** What is wrong with an answer, if anything is. */
function problem({ status, text, ms, isTooLarge }) {
  // 413 comes while the body is still on its way: whether the client sees it or a broken connection is a matter of time.
  if (isTooLarge && status === 0 && ms < DEADLINE_MS) return undefined;
  if (ms >= DEADLINE_MS) return "no answer in time";
  if (status === 0) return `no answer: ${text}`;
  if (status === 500 || status === 502) return `status ${status}`;
  if (/\n\s+at .+:\d+|node_modules|node:internal|\.gguf/.test(text)) return "a trace or a path";
  if (status < 400) return undefined;
  try {
    const { error } = JSON.parse(text);
    if (typeof error.message === "string" && typeof error.type === "string" && "param" in error && "code" in error)
      return undefined;
  } catch {
    // Named below.
  }
  return "an error in another shape";
}

const normal = () => post("/v1/chat/completions", JSON.stringify(chat({ max_tokens: 4 })), 60_000);
const sorted = (values) => [...values].sort((x, y) => x - y);
const share = (values, p) => sorted(values)[Math.min(values.length - 1, Math.floor(p * values.length))];

for (let i = 0; i < 5; i++) await normal();
const alone = [];
for (let i = 0; i < 20; i++) alone.push((await normal()).ms);
const base = share(alone, 0.5);

/** Looks at /health from a thread of its own: this one is busy with making requests. */
const looker = new Worker(
  `const { parentPort, workerData } = require("node:worker_threads");
  const { get, Agent } = require("node:http");
  const agent = new Agent({ keepAlive: true });
  const times = [];
  let done = false;
  const look = () => {
    if (done) { parentPort.postMessage(times); return; }
    const from = performance.now();
    const note = (status) => { times.push({ at: Date.now(), ms: status === 200 ? performance.now() - from : Infinity }); setTimeout(look, workerData.every); };
    get(workerData.url, { agent }, (answer) => answer.resume().once("end", () => note(answer.statusCode))).once("error", () => note(0));
  };
  parentPort.once("message", () => { done = true; });
  look();`,
  { eval: true, workerData: { url: `${url}/health`, every: HEALTH_EVERY } },
);
const statuses = {};
const slowest = [];
const among = [];
const problems = [];
for (let i = 0; i < requests && !ended; i++) {
  const { kind, what, send: begin } = hostile();
  const from = Date.now();
  const under = begin();
  await sleep(INTO);
  const other = await normal();
  const answer = await under;
  statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
  slowest.push({ ms: answer.ms, what, from, end: Date.now() });
  among.push(other.ms);
  const wrong = problem(answer) ?? (other.status === 200 ? undefined : `the normal request got ${other.status}`);
  if (wrong) problems.push(`${kind} ${i}: ${wrong}: ${what} -> ${answer.text.slice(0, 200)}`);
  if (other.ms > base + SLOWER_MS)
    problems.push(`${kind} ${i}: the normal request took ${other.ms.toFixed(0)} ms: ${what}`);
}
looker.postMessage("done");
const [looks] = await once(looker, "message");
await looker.terminate();
if (ended) problems.push("the server ended");
const health = looks.map((look) => look.ms);
for (const { at, ms } of looks) {
  if (ms <= HEALTH_MS) continue;
  const during = slowest.find((one) => at - ms <= one.end && one.from <= at);
  problems.push(`/health took ${ms.toFixed(0)} ms: ${during?.what ?? "nothing under way"}`);
}

const ms = (value) => `${value.toFixed(0)} ms`;
console.log(`${requests} hostile requests, seed ${process.argv[3] ?? 1}: statuses ${JSON.stringify(statuses)}`);
console.log(
  `hostile: p99 ${ms(
    share(
      slowest.map((one) => one.ms),
      0.99,
    ),
  )}, slowest ${ms(
    share(
      slowest.map((one) => one.ms),
      1,
    ),
  )}`,
);
console.log(
  `normal: alone p50 ${ms(base)}, max ${ms(share(alone, 1))}; in the middle p50 ${ms(share(among, 0.5))}, p99 ${ms(share(among, 0.99))}, max ${ms(share(among, 1))}`,
);
console.log(
  `/health: ${health.length} looks, p50 ${ms(share(health, 0.5))}, p99 ${ms(share(health, 0.99))}, max ${ms(share(health, 1))}`,
);
for (const one of problems) console.log(one);
console.log(problems.length === 0 ? "Every bound held." : `${problems.length} bounds broken.`);
server.kill("SIGKILL");
process.exit(problems.length === 0 ? 0 : 1);
