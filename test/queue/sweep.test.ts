import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { demoSweep, resultOf, startWorker, workersThere, type StartedWorker } from "./demo.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();

describe.skipIf(!hasRedis)(`a sweep on a queue with three workers ${skippedWithoutRedis}`, () => {
  let redis: RedisServer;
  let workers: StartedWorker[] = [];
  let local: unknown;

  beforeAll(async () => {
    redis = await startRedis(folder.path);
    workers = ["a", "b", "c"].map((name) => startWorker(redis.url, name, join(folder.path, "cache")));
    const { code, stderr } = await callCli(demoSweep(join(folder.path, "local"), "--quiet"));
    expect(code, stderr).toBe(0);
    local = await resultOf(join(folder.path, "local"));
    await workersThere(redis.url, 3);
  }, ENGINE_START_MS);

  afterAll(async () => {
    for (const worker of workers) worker.kill();
    await redis.kill();
  });

  it("ends in the local run's result, and every worker had a part in it", async () => {
    const out = join(folder.path, "remote");
    const { code, stderr } = await callCli(demoSweep(out, "--redis", redis.url));
    expect(code, stderr).toBe(0);
    expect(await resultOf(out)).toEqual(local);
    for (const worker of workers) expect(worker.output()).toMatch(/prompts, \d masks?/);
  });

  it("goes on where a local run was, and a local run where it was", async () => {
    const out = join(folder.path, "local");
    const { code, stderr } = await callCli(demoSweep(out, "--redis", redis.url, "--quiet"));
    expect(code, stderr).toBe(0);
    const { timings } = JSON.parse(await readFile(join(out, "result.json"), "utf8")) as {
      timings: { answersGenerated: number };
    };
    expect(timings.answersGenerated).toBe(0);
    expect(await resultOf(out)).toEqual(local);
  });
});
