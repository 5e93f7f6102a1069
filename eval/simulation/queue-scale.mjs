// A queue with many workers whose engine only sleeps: what coordinator and Redis cost, and how long the queue takes to drain against the ideal.
//
//   node eval/simulation/queue-scale.mjs [WORKERS] [ROWS] [MILLISECONDS A ROW] [PROCESSES]
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { freePort } from "../bench/free-port.mjs";
import { demo, pause, redisServer } from "../bench/queue-parts.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const from = (path) => import(pathToFileURL(join(root, "dist", path)));
const { connectRedis } = await from("queue/connection.js");
const { ContentStore } = await from("queue/content-store.js");
const { presentWorkers, queueName } = await from("queue/presence.js");

const engineInfo = {
  backend: "cpu",
  devices: [],
  gpuLayers: 0,
  threads: 1,
  llamaCpp: "asleep",
  nodeLlamaCpp: "asleep",
  vocabulary: 512,
};
const queue = queueName({ sampled: "asleep", engine: engineInfo, logits: "asleep" }, undefined);

if (process.send) await beWorkers(JSON.parse(process.argv[2]));
else await measure(process.argv.slice(2).map(Number));

/** Some workers in this process; they share the connection for all but waiting. */
async function beWorkers({ url, count, first, rowMs, cache }) {
  const { AdapterCache } = await from("queue/adapter-cache.js");
  const { EngineSlot } = await from("queue/engine-slot.js");
  const { QueueWorker } = await from("queue/queue-worker.js");
  const { readBaseModel } = await from("adapter/base-model.js");
  const redis = await connectRedis(url);
  const store = new ContentStore(redis);
  const adapters = new AdapterCache(cache, await readBaseModel(join(demo, "model.gguf")), store);
  const workers = [];
  const onLine = (text) => {
    if (!text.includes(" done in ")) process.send({ line: text.replace(/\bj[0-9a-f]{8,}/g, "ID") });
  };
  for (let i = 0; i < count; i++) {
    const name = `asleep-${first + i}`;
    const model = { name: "asleep", sampled: "asleep", family: "asleep", template: "" };
    // About what the layer sharing of nine boundaries makes of it: the jobs that follow are sized by what the first ones took.
    const tokensPerSecond = 1e5 / rowMs;
    const announcement = {
      id: name,
      name,
      version: "asleep",
      queue,
      model,
      engine: engineInfo,
      logits: "asleep",
      tokensPerSecond,
    };
    const engine = new EngineSlot(() => Promise.resolve(sleepingEngine(rowMs)));
    workers.push(
      new QueueWorker({ redis, engine, adapters, store, announcement, lockSeconds: 30, onLine: () => undefined }),
    );
  }
  await Promise.all(workers.map((worker) => worker.start()));
  process.send({ ready: true });
  process.on("disconnect", () => process.exit(0));
}

function sleepingEngine(rowMs) {
  const answerOf = ({ id, tokens }) => ({
    id,
    text: "under the old bridge",
    tokens: [17, 44, 301, 8],
    stopReason: "eog",
    promptTokens: tokens.length,
    prefillMs: rowMs / 2,
    decodeMs: rowMs / 2,
    decodedTokens: 3,
  });
  return {
    info: engineInfo,
    generateShared: async ({ prompts, boundaries }, onGeneration) => {
      await pause(rowMs * prompts.length * boundaries.length);
      for (const { boundary } of boundaries) {
        for (const prompt of prompts) onGeneration({ boundary, generation: answerOf(prompt) });
      }
    },
    peakMemory: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  };
}

async function measure([workers = 1000, rows = 1_000_000, rowMs = 200, processes = 4]) {
  const { loadInputs } = await from("sweep/inputs/inputs.js");
  const { parseConfig } = await from("sweep/config.js");
  const { layOutSweep } = await from("sweep/plan.js");
  const { evaluate } = await from("sweep/evaluate.js");
  const { Journal } = await from("run/journal.js");
  const { writePieces } = await from("adapter/pieces.js");
  const { Dispatcher } = await from("queue/dispatcher.js");
  const { RemoteEngine } = await from("queue/remote-engine.js");
  const folder = mkdtempSync(join(tmpdir(), "boundary-scale-"));
  const say = (line) => process.stdout.write(`${line}\n`);
  const boundaries = 9;
  const samples = Math.ceil(rows / boundaries);
  const line = (i) =>
    JSON.stringify({ id: `s${i}`, question: `Where is number ${i}?`, answers: ["under the old bridge"] });
  writeFileSync(join(folder, "data.jsonl"), Array.from({ length: samples }, (_, i) => `${line(i)}\n`).join(""));
  mkdirSync(join(folder, "redis"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const server = await redisServer(join(folder, "redis"), port, { flags: ["--appendfsync", "everysec"] });
  const children = [];
  const said = new Map();
  try {
    for (let i = 0; i < processes; i++) {
      const first = Math.round((i * workers) / processes);
      const count = Math.round(((i + 1) * workers) / processes) - first;
      const settings = { url, count, first, rowMs, cache: join(folder, `cache-${i}`) };
      const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(settings)]);
      children.push(child);
      await new Promise((resolve) => child.once("message", resolve));
      child.on("message", ({ line: text }) => said.set(text, (said.get(text) ?? 0) + 1));
    }
    const redis = await connectRedis(url);
    const info = async (name) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(await redis.info())?.[1]);
    say(`${workers} workers in ${processes} processes are there; Redis ${megabytes(await info("used_memory"))} MB`);

    const files = {
      model: join(demo, "model.gguf"),
      adapter: join(demo, "adapter.gguf"),
      data: join(folder, "data.jsonl"),
    };
    const config = parseConfig({ ...files, holdout: 0, maxTokens: 8, out: join(folder, "run") });
    const inputs = await loadInputs(config);
    const tokens = inputs.samples.map((_, i) => Array.from({ length: 40 }, (__, at) => (at * 31 + i) % 512));
    const plan = layOutSweep(config, inputs, engineInfo, tokens).withShortcuts({
      invariantTokens: 256,
      sharedLayers: true,
      reasons: [],
    });
    const pieces = await writePieces(
      inputs.adapter,
      plan.candidates.map(({ mask }) => mask),
      join(folder, "pieces"),
    );
    const dispatcher = new Dispatcher({
      url,
      redis,
      store: new ContentStore(redis),
      run: "scale",
      adapter: inputs.adapter,
      findWorkers: async () => (await presentWorkers(redis)).map((worker) => ({ worker, isOther: false })),
      onNote: say,
    });
    await dispatcher.start();
    const engine = new RemoteEngine(
      { redis, dispatcher, run: "scale", adapter: inputs.adapter.sha256, layerCount: 8 },
      engineInfo,
    );
    const journal = await Journal.open(join(folder, "journal.jsonl"));
    global.gc?.();
    const memoryBefore = process.memoryUsage().rss;
    const redisBefore = await info("used_memory");
    const cpuBefore = process.cpuUsage();
    let done = 0;
    let last = 0;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let peakRedis = 0;
    const watch = setInterval(async () => {
      const memory = await info("used_memory");
      peakRedis = Math.max(peakRedis, memory);
      const rate = (done - last) / 10;
      last = done;
      say(
        `${seconds().toFixed(0)} s: ${done} rows, ${rate.toFixed(0)}/s, coordinator ${megabytes(process.memoryUsage().rss)} MB, Redis ${megabytes(memory)} MB`,
      );
    }, 10_000);
    await evaluate(
      { plan, engine, journal, pieces, signal: undefined, onRow: () => (done += 1) },
      plan.candidates,
      plan.selection,
    );
    clearInterval(watch);
    const drained = seconds();
    await journal.close();
    const cpu = process.cpuUsage(cpuBefore);
    const all = plan.candidates.length * plan.selection.length;
    const ideal = (all * rowMs) / 1000 / workers;
    const memory = process.memoryUsage().rss;
    const redisAfter = await info("used_memory");
    const commands = await info("total_commands_processed");
    say(
      `${all} rows in ${drained.toFixed(1)} s; ideal ${ideal.toFixed(1)} s, ${((100 * ideal) / drained).toFixed(0)} % of it reached`,
    );
    say(
      `coordinator: ${((cpu.user + cpu.system) / all).toFixed(0)} us of processor a row, ${((memory - memoryBefore) / all).toFixed(0)} bytes of memory a row`,
    );
    say(
      `Redis: before ${megabytes(redisBefore)} MB, at most ${megabytes(peakRedis)} MB, after ${megabytes(redisAfter)} MB, ${(commands / all).toFixed(2)} commands a row`,
    );
    const server_cpu = await redis.info("cpu");
    const used = ["used_cpu_sys", "used_cpu_user"].map((name) =>
      Number(new RegExp(`${name}:([\\d.]+)`).exec(server_cpu)?.[1]),
    );
    say(
      `Redis: ${((1e6 * (used[0] + used[1])) / all).toFixed(0)} us of processor a row; journal ${(statSync(join(folder, "journal.jsonl")).size / all).toFixed(0)} bytes a row, ${
        new Set(
          readFileSync(join(folder, "journal.jsonl"), "utf8")
            .split("\n")
            .slice(0, -1)
            .map((row) => row.slice(8, 72)),
        ).size
      } keys`,
    );
    for (const [text, count] of said) say(`workers, ${count} times: ${text}`);
    await engine.close();
  } finally {
    for (const child of children) child.disconnect();
    server.signal("SIGKILL");
    await pause(500);
    rmSync(folder, { recursive: true, force: true });
  }
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
