import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { demoModel, demoSweep, resultOf, startHurried, startWorker, workersThere, type StartedWorker } from "./demo.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
const skipped = hasOpenssl ? skippedWithoutRedis : "(skipped: no openssl)";

describe.skipIf(!hasRedis || !hasOpenssl)(`ways to sweep on a queue ${skipped}`, () => {
  let redis: RedisServer;
  const workers: StartedWorker[] = [];
  /** Rows that go through TLS. */
  const env: Record<string, string> = {};

  beforeAll(async () => {
    const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => join(folder.path, name));
    if (key === undefined || certificate === undefined) throw new Error("no names");
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    const made = spawnSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate, ...subject],
      { encoding: "utf8" },
    );
    expect(made.status, made.stderr).toBe(0);
    redis = await startRedis(folder.path, [
      ...["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no"],
    ]);
    env["BOUNDARY_REDIS"] = redis.tlsUrl;
    env["NODE_EXTRA_CA_CERTS"] = certificate;
    for (const name of ["a", "b"]) {
      workers.push(
        startWorker(env["BOUNDARY_REDIS"], name, join(folder.path, "cache"), { more: ["--full-hash"], env }),
      );
    }
    await workersHere(2);
  }, ENGINE_START_MS);

  afterAll(async () => {
    for (const worker of workers) worker.kill();
    await redis.kill();
  });

  const workersHere = (count: number): Promise<void> => workersThere(redis.url, count);

  it("a command in a process of its own finds the workers and sweeps through TLS", async () => {
    const listed = await finished(startHurried(["workers", "--json"], env));
    expect(listed.code, listed.stderr).toBe(0);
    expect((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name)).toEqual(["a", "b"]);
    const out = join(folder.path, "tls");
    const there = await finished(startHurried(demoSweep(out, "--quiet", "--limit", "10", "--redis"), env));
    expect(there.code, there.stderr).toBe(0);
    await endsAsHere("tls", "--limit", "10");
  });

  /** Compares a sweep on the queue with the same on this machine. */
  const endsAsHere = async (name: string, ...flags: string[]): Promise<void> => {
    const local = join(folder.path, `${name}, local`);
    const here = await callCli(demoSweep(local, "--quiet", ...flags.filter((flag) => flag !== "--full-hash")));
    expect(here.code, here.stderr).toBe(0);
    expect(await resultOf(join(folder.path, name))).toEqual(await resultOf(local));
  };

  it.each([
    ["racing and screening", ["--race", "--screen", "nll"]],
    ["references weighed", ["--metric", "nll", "--limit", "12"]],
    ["waves whose answers depend on each other", ["--sequences", "3", "--limit", "10"]],
    ["layers ranked by what goes through them", ["--strategy", "top:2-6:4:cka", "--holdout", "0"]],
    ["layers ranked by energy", ["--strategy", "top:4:energy", "--limit", "10"]],
    ["layers that are scaled", ["--strategy", "scale:0.5", "--holdout", "0", "--limit", "10"]],
    ["with whole hashes", ["--full-hash", "--holdout", "0", "--limit", "10"]],
  ])("%s, by workers that come through TLS, end as on one machine", async (title, flags) => {
    const out = join(folder.path, title);
    const there = await callCli(demoSweep(out, "--quiet", "--redis", redis.url, ...flags));
    expect(there.code, there.stderr).toBe(0);
    await endsAsHere(title, ...flags);
  });

  it("--mixed takes a worker with another engine, and every row says whose it is", async () => {
    const other = startWorker(env["BOUNDARY_REDIS"] ?? "", "other", join(folder.path, "cache"), {
      more: ["--model", demoModel, "--threads", "2"],
      env,
    });
    workers.push(other);
    await workersHere(3);
    const strict = await callCli(demoSweep(join(folder.path, "strict"), "--redis", redis.url, "--limit", "8"));
    expect(strict.code, strict.stderr).toBe(0);
    expect(strict.stderr).toMatch(/worker other gets no jobs: 2 threads instead of 1/);
    const out = join(folder.path, "mixed");
    const { code, stderr } = await callCli(demoSweep(out, "--redis", redis.url, "--mixed", "--limit", "40"));
    expect(code, stderr).toBe(0);
    const rows = (await readFile(join(out, "journal.jsonl"), "utf8")).trim().split("\n");
    const names = rows.map((row) => /^\w+ \(cpu, llama.cpp/.exec((JSON.parse(row) as { worker: string }).worker)?.[0]);
    expect(names).not.toContain(undefined);
    expect(new Set(names.map((name) => name?.split(" ")[0])).has("other")).toBe(true);
  });
});
