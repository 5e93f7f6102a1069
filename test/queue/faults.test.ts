import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { keys, PREFIX } from "../../src/queue/keys.js";
import { presentWorkers } from "../../src/queue/presence.js";
import { Seal } from "../../src/queue/seal.js";
import { finished, killGroup } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";
import {
  demoSweep,
  pause,
  resultOf,
  startHurried,
  startWorker,
  until,
  workersThere,
  type StartedWorker,
} from "./demo.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();
/** An answer that nobody asked for. */
const strangeGeneration = {
  id: "s",
  text: "strange",
  tokens: [1],
  stopReason: "eog",
  promptTokens: 1,
  prefillMs: 1,
  decodeMs: 1,
  decodedTokens: 1,
};

describe.skipIf(!hasRedis)(`a queue in which something goes wrong ${skippedWithoutRedis}`, () => {
  let redis: RedisServer;
  let client: Redis;
  let local: unknown;
  const workers = new Map<string, StartedWorker>();
  let runs = 0;
  let out = "";

  const begin = (name: string, more: readonly string[] = []): StartedWorker => {
    const worker = startWorker(redis.url, name, join(folder.path, "cache"), { more });
    workers.set(name, worker);
    return worker;
  };
  const remote = (...more: string[]): string[] => demoSweep(out, "--redis", redis.url, "--fixed-batch", ...more);
  const answered = (): Promise<number> =>
    readFile(join(out, "journal.jsonl"), "utf8").then(
      (text) => text.split("\n").length - 1,
      () => 0,
    );

  beforeAll(async () => {
    redis = await startRedis(folder.path);
    client = new Redis(redis.url, { maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    begin("a");
    begin("b");
    const { code, stderr } = await callCli(demoSweep(join(folder.path, "local"), "--fixed-batch", "--quiet"));
    expect(code, stderr).toBe(0);
    local = await resultOf(join(folder.path, "local"));
  }, ENGINE_START_MS);

  beforeEach(async () => {
    out = join(folder.path, `run-${runs++}`);
    await workersThere(redis.url, 2);
  });

  afterAll(async () => {
    for (const worker of workers.values()) worker.kill();
    client.disconnect();
    await redis.kill();
  });

  it("a worker killed in mid-job: another takes the job", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    workers.get("a")?.kill();
    begin("a");
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });

  it("a worker that hangs: its job is taken back, and what it says later changes nothing", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    const { pid } = workers.get("b")?.child ?? {};
    if (pid === undefined) throw new Error("no worker");
    process.kill(-pid, "SIGSTOP");
    const { code, stderr } = await ended;
    process.kill(-pid, "SIGCONT");
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });

  it("the coordinator killed: the same command goes on", async () => {
    const sweep = startHurried(remote());
    await until(async () => (await answered()) > 10);
    killGroup(sweep);
    await finished(sweep);
    expect(existsSync(join(out, "result.json"))).toBe(false);
    const { code, stderr } = await callCli(remote());
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
    const { timings } = JSON.parse(await readFile(join(out, "result.json"), "utf8")) as {
      timings: { answersReused: number };
    };
    expect(timings.answersReused).toBeGreaterThan(10);
  });

  it("Redis killed and started again with its append-only file", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    await redis.kill();
    await redis.restart();
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("is gone; trying again");
    expect(await resultOf(out)).toEqual(local);
  });

  it("a Redis that forgets everything", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    await client.flushall();
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });

  it("a worker that is told to stop gives its job back, also without Redis it ends", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    const worker = workers.get("a");
    if (worker?.child.pid === undefined) throw new Error("no worker");
    const stopped = finished(worker.child);
    process.kill(worker.child.pid, "SIGTERM");
    expect((await stopped).code).toBe(0);
    begin("a");
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
    await redis.kill();
    const other = workers.get("b");
    if (other?.child.pid === undefined) throw new Error("no worker");
    const gone = finished(other.child);
    process.kill(other.child.pid, "SIGTERM");
    const { code: otherCode } = await gone;
    await redis.restart();
    begin("b");
    expect(otherCode).toBe(0);
  });

  it("poisoned payloads: that job fails, worker and coordinator say why and go on", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    for (const stream of await client.keys(`${PREFIX}:results:*`)) {
      const run = stream.slice(keys.results("").length);
      const told = (entry: unknown): string => Seal.none.close(["entry", run], entry);
      await client.xadd(stream, "*", "json", "no JSON");
      await client.xadd(stream, "*", "json", told({ job: "j1", worker: "w", rows: [{ ask: "x" }] }));
      const strange = { boundary: 4, generation: strangeGeneration };
      const rows = [{ ask: "nobody's", ...strange }];
      await client.xadd(stream, "*", "json", told({ job: "j1", worker: "w", rows, done: { seconds: 1 } }));
    }
    const [worker] = await presentWorkers(client, Seal.none);
    const queue = new Queue(worker?.queue ?? "", { connection: client, prefix: PREFIX });
    const traversal = { kind: "answers", run: "x", timeoutMs: 1000, adapter: "../../etc/passwd" };
    for (const job of [traversal, { nonsense: "y".repeat(5 << 20) }]) {
      const text = Seal.none.close(["job", queue.name, "j1"], job);
      await queue.add("answers", text, { jobId: "j1", removeOnFail: true });
      await until(async () => (await queue.getJob("j1")) === undefined);
    }
    await queue.add("answers", traversal);
    await until(
      () =>
        [...workers.values()]
          .map(({ output }) => output())
          .join()
          .split("refused").length > 3,
    );
    await queue.close();
    const said = [...workers.values()].map(({ output }) => output()).join("");
    expect(said).toContain("a job in the queue is not what it must be: found adapter");
    expect(said).toContain("a job is too large for the queue");
    expect(said).toContain("it is not a message of this release of boundary");
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("an answer of a worker in the queue is not what it must be");
    expect(stderr).toContain("an answer in the queue was ignored: it is to a job that was not handed out");
    expect(await resultOf(out)).toEqual(local);
  });

  it("a Redis that fills up in mid-sweep", async () => {
    const ended = callCli(remote());
    await until(async () => (await answered()) > 0);
    await client.config("SET", "maxmemory", "1mb");
    const full = await Promise.race([ended, pause(5000)]);
    await client.config("SET", "maxmemory", "0");
    if (full) expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/maxmemory: raise it/) as string });
    // Who had handed everything out already only waits until there is room again.
    const { code, stderr } = full ? await callCli(remote()) : await ended;
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });

  it("a full Redis: a clear error, and the same command goes on when there is room", async () => {
    await client.config("SET", "maxmemory", "1mb");
    const full = await callCli(remote());
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/maxmemory: raise it.*then run the same command again/);
    await client.config("SET", "maxmemory", "0");
    const { code, stderr } = await callCli(remote());
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });

  it("a worker with another model gets no jobs, and the sweep names it", async () => {
    const model = await writeTinyModel(folder.path, "other.gguf", { architecture: "llama" });
    const stranger = begin("stranger", ["--model", model]);
    await until(async () => (await presentWorkers(client, Seal.none)).some(({ name }) => name === "stranger"));
    const { code, stderr } = await callCli(remote());
    stranger.kill();
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
    expect(stderr).toMatch(/worker stranger gets no jobs: another model/);
    expect(stranger.output()).not.toContain("prompts");
  });
});

describe.skipIf(!hasRedis)(`who may ask whom ${skippedWithoutRedis}`, () => {
  let redis: RedisServer;
  const started: StartedWorker[] = [];

  beforeAll(async () => {
    redis = await startRedis(folder.path, ["--requirepass", "s3cret-word", "--appendfilename", "other.aof"]);
  }, ENGINE_START_MS);

  afterAll(async () => {
    for (const worker of started) worker.kill();
    await redis.kill();
  });

  it("without the password nobody gets in, and no secret is shown", async () => {
    for (const url of [redis.url, redis.url.replace("//", "//:wr0ng@")]) {
      const { code, stderr } = await callCli(["workers", "--redis", url]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/cannot be used: found (NOAUTH|WRONGPASS).*Check user and password/);
      expect(stderr).not.toContain("wr0ng");
    }
  });

  it("an adapter that the worker's owner does not allow is not asked for; an allowed one is, and the password is in no file", async () => {
    const url = redis.url.replace("//", "//:s3cret-word@");
    const env = { BOUNDARY_REDIS: url };
    const cache = join(folder.path, "cache-2");
    started.push(startWorker(url, "strict", cache, { more: ["--allow", "0".repeat(64)] }));
    await workersThere(url, 1);
    const waiting = startHurried(demoSweep(join(folder.path, "allowed"), "--redis"), env);
    let said = "";
    waiting.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    const ended = finished(waiting);
    await until(() => said.includes("waiting for one"));
    expect(said).toContain("worker strict gets no jobs: its owner does not allow this adapter");
    const sha256 = (JSON.parse(await readFile(join(folder.path, "local/result.json"), "utf8")) as AdapterFacts).adapter
      .sha256;
    started.push(startWorker(url, "willing", cache, { more: ["--allow", sha256, "--full-hash"] }));
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(0);
    for (const file of ["result.json", "journal.jsonl", "run.json"]) {
      const text = await readFile(join(folder.path, "allowed", file), "utf8");
      expect(text).not.toMatch(/s3cret-word|redis/);
    }
  });
});

interface AdapterFacts {
  readonly adapter: { readonly sha256: string };
}
