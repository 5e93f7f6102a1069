// Arms c and c2: llama-server of the same llama.cpp release. `restart` starts it anew with a trimmed file for each boundary, loading being off
// the clock; `scales` starts it once with the one-layer adapters and names their scales in each request. A boundary's prompts are sent at once.
//
//   node arm-server.mjs WORKLOAD.json RESULT.json LLAMA_SERVER restart|scales SLOTS cache|no-cache
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { freePort } from "../free-port.mjs";

const [workloadPath, resultPath, binary, way, slotsText, cache] = process.argv.slice(2);
const workload = JSON.parse(readFileSync(workloadPath, "utf8"));
const { threads, maxTokens, prompts, layers } = workload;
const slots = Number(slotsText);
const eog = new Set(workload.eog);
const pieces = workload.pieces.map((path, layer) => ({ path, layer })).filter(({ path }) => path);
const perSlot = Math.ceil((Math.max(...prompts.map(({ tokens }) => tokens.length)) + maxTokens) / 256) * 256;

async function start(loraFlags) {
  const started = performance.now();
  const port = await freePort();
  const flags = [
    ...["-m", workload.model, "--host", "127.0.0.1", "--port", String(port), "--no-webui", "--log-disable"],
    ...["-t", String(threads), "-tb", String(threads), "-np", String(slots), "-c", String(slots * perSlot)],
    ...["--cache-ram", "0", ...loraFlags],
  ];
  const child = spawn(binary, flags, { stdio: ["ignore", "ignore", "inherit"] });
  const ended = once(child, "exit");
  process.once("exit", () => child.kill("SIGKILL"));
  const healthy = () =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await healthy())) {
    if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const stop = async () => {
    const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]) * 1024;
    child.kill("SIGTERM");
    await ended;
    return peak;
  };
  return { port, stop, seconds: (performance.now() - started) / 1e3 };
}

let prefilledTokens = 0;

async function ask(port, { id, tokens: prompt }, lora) {
  const body = {
    ...{ prompt, n_predict: maxTokens, temperature: 0, samplers: ["temperature"], return_tokens: true },
    ...{ cache_prompt: cache === "cache", ...lora },
  };
  // A connection for each request: llama-server ends kept ones now and then, in the middle of what comes next.
  const options = { method: "POST", headers: { "content-type": "application/json" }, agent: false };
  const request = http.request(`http://127.0.0.1:${port}/completion`, options);
  request.end(JSON.stringify(body));
  const [response] = await once(request, "response");
  let text = "";
  for await (const bytes of response.setEncoding("utf8")) text += bytes;
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${text}`);
  const { tokens, timings } = JSON.parse(text);
  prefilledTokens += timings.prompt_n;
  return { id, tokens: tokens.filter((token, i) => i < tokens.length - 1 || !eog.has(token)) };
}

async function askAll(port, boundary, lora) {
  const asking = performance.now();
  const answers = await Promise.all(prompts.map((prompt) => ask(port, prompt, lora)));
  return { boundary, openSeconds: 0, seconds: (performance.now() - asking) / 1e3, answers };
}

// One listener for each start.
process.setMaxListeners(0);
const boundaries = [];
let loadSeconds = 0;
let peakBytes = 0;
if (way === "restart") {
  for (const boundary of workload.boundaries) {
    const server = await start(boundary === 0 ? [] : ["--lora", workload.trimmed[boundary]]);
    loadSeconds += server.seconds;
    boundaries.push(await askAll(server.port, boundary, {}));
    peakBytes = Math.max(peakBytes, await server.stop());
  }
} else {
  const server = await start(["--lora", pieces.map(({ path }) => path).join(","), "--lora-init-without-apply"]);
  loadSeconds = server.seconds;
  for (const boundary of workload.boundaries) {
    const lora = pieces.map(({ layer }, id) => ({ id, scale: layer < boundary && layer < layers ? 1 : 0 }));
    boundaries.push(await askAll(server.port, boundary, { lora }));
  }
  peakBytes = await server.stop();
}
const sweepSeconds = boundaries.reduce((sum, { seconds }) => sum + seconds, 0);
writeFileSync(
  resultPath,
  JSON.stringify({
    loadSeconds,
    sweepSeconds,
    peakBytes: peakBytes + process.resourceUsage().maxRSS * 1024,
    prefilledTokens,
    boundaries,
  }),
);
