import { PassThrough } from "node:stream";
import { cp, mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { readBaseModel } from "../../src/adapter/base-model.js";
import { writePiece } from "../../src/adapter/pieces.js";
import type { EngineInfo } from "../../src/engine/engine.js";
import { MemoryError, QueueError } from "../../src/errors.js";
import { digest } from "../../src/files/digest.js";
import { sha256File } from "../../src/files/file-source.js";
import { byteCount } from "../../src/cli/values.js";
import { AdapterCache } from "../../src/queue/adapter-cache.js";
import { CacheFolder } from "../../src/queue/cache-folder.js";
import { ContentStore, MissingContentError } from "../../src/queue/content-store.js";
import { assertAffordable } from "../../src/queue/job-limits.js";
import { keys } from "../../src/queue/keys.js";
import { LONGEST_JOB_MS, parseJob, type Job } from "../../src/queue/messages.js";
import { ModelProof, OtherModelError } from "../../src/queue/model-proof.js";
import { shortened } from "../../src/queue/printable.js";
import { limitReplies, ReplyMeter } from "../../src/queue/reply-limit.js";
import { withoutPaths } from "../../src/queue/without-paths.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { demoAdapter, demoModel } from "./demo.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();
const context = { sequences: 4, contextSize: 256, batchSize: 512, cacheType: "F16", flashAttention: "auto" } as const;
const info: EngineInfo = {
  ...{ backend: "cpu", devices: [], gpuLayers: 0, threads: 1, llamaCpp: "v", nodeLlamaCpp: "v" },
  vocabulary: 1000,
};

function job(shape: Partial<Record<keyof typeof context, unknown>>, more: object = {}): object {
  return {
    ...{ kind: "answers", run: "r", timeoutMs: 60_000, adapter: digest("a"), adapterBytes: 1000, pieces: [] },
    settings: [{ masks: [{ boundary: 0, pieces: [] }], context: { ...context, ...shape }, maxTokens: 8, stop: [] }],
    waves: [{ settings: 0, asks: ["k"], prompts: [{ id: "s", tokens: digest("t") }] }],
    ...more,
  };
}

describe("a job", () => {
  it("is refused where it is larger than any that is handed out", async () => {
    const wrong: [object, RegExp][] = [
      [job({ sequences: 256, contextSize: 1 << 22 }), /more than 4194304 tokens in all sequences/],
      [job({ sequences: 257 }), /sequences/],
      [job({}, { timeoutMs: LONGEST_JOB_MS + 1 }), /timeoutMs/],
      [job({}, { adapterBytes: 65 * 2 ** 30 }), /adapterBytes/],
      [job({}, { adapter: "../../etc/passwd" }), /adapter/],
    ];
    for (const [one, words] of wrong) expect((await failureOf(QueueError, () => parseJob(one))).message).toMatch(words);
    expect(LONGEST_JOB_MS).toBe(6 * 3600 * 1000);
  });

  it("is refused where its context or adapter does not fit into what memory is left", async () => {
    const model = await readBaseModel(demoModel);
    const gib = 2 ** 30;
    assertAffordable(parseJob(job({})), model, info, gib);
    const large = parseJob(job({ sequences: 256, contextSize: 1 << 14 }));
    expect(JSON.stringify(large).length).toBeLessThan(4096);
    const { message } = await failureOf(MemoryError, () => {
      assertAffordable(large, model, info, gib);
    });
    expect(message).toMatch(/a job takes more memory than this worker has: found \d+\.\d GiB.*at most 1\.0 GiB/);
    // Memory of a GPU shows when a context is made in it.
    assertAffordable(large, model, { ...info, backend: "cuda" }, gib);
    const heavy = parseJob(job({}, { adapterBytes: gib }));
    await failureOf(MemoryError, () => {
      assertAffordable(heavy, model, { ...info, backend: "cuda" }, gib);
    });
    const positions = Array.from({ length: 1 << 16 }, (_, i) => i);
    const call = { method: "hidden", mask: [], context, prompts: [{ id: "s", tokens: digest("t"), positions }] };
    const common = { run: "r", timeoutMs: 60_000, adapter: digest("a"), adapterBytes: 1000, pieces: [] };
    const hidden = parseJob({ kind: "call", ...common, call, nonce: "n" });
    await failureOf(QueueError, () => {
      assertAffordable(hidden, model, info, 64 * gib);
    });
  });
});

describe("a reply of Redis", () => {
  it("is measured as it comes, whatever its parts", () => {
    const reply = Buffer.from("*3\r\n$3\r\nabc\r\n*2\r\n:1\r\n$-1\r\n-ERR no\r\n+OK\r\n");
    for (const size of [1, 2, 5, reply.length]) {
      const meter = new ReplyMeter();
      const lengths: number[] = [];
      for (let at = 0; at < reply.length; at += size) lengths.push(meter.feed(reply.subarray(at, at + size)));
      expect(Math.max(...lengths)).toBe(reply.length - "+OK\r\n".length);
      expect(meter.feed(Buffer.from("+OK\r\n"))).toBe(5);
    }
  });

  it("ends the connection as soon as it announces too much", async () => {
    const stream = new PassThrough();
    limitReplies(stream, 1000);
    const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
    stream.write(`*2\r\n$600\r\n${"x".repeat(600)}\r\n`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(stream.destroyed).toBe(false);
    stream.write("$536870912\r\n");
    expect((await failed).message).toContain("Redis sends a reply of more than");
  });
});

describe.skipIf(!hasRedis)(`a worker's cache ${skippedWithoutRedis}`, () => {
  let server: RedisServer;
  let redis: Redis;
  let sha256 = "";
  let bytes = 0;

  beforeAll(async () => {
    server = await startRedis(folder.path);
    redis = new Redis(server.url);
    sha256 = await sha256File(demoAdapter);
    bytes = (await stat(demoAdapter)).size;
  });

  afterAll(async () => {
    redis.disconnect();
    await server.kill();
  });

  const wanted = (pieces: Job["pieces"]): Job => ({
    ...parseJob(job({})),
    adapter: sha256,
    adapterBytes: bytes,
    pieces,
  });
  const filesOf = async (path: string): Promise<string[]> => {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
  };

  it("takes a file only whole and as its hash says, in chunks of the stated size", async () => {
    const store = new ContentStore(redis);
    const path = join(folder.path, "fetched", "a.gguf");
    const fetch = (length = bytes): Promise<void> => new ContentStore(redis).fetchFile(sha256, length, path);
    await failureOf(MissingContentError, () => fetch());
    await store.putFile(demoAdapter, sha256);
    await failureOf(MissingContentError, () => fetch(bytes - 1));
    for (const wrong of [Buffer.alloc(bytes), Buffer.alloc(2 << 20), Buffer.alloc(0)]) {
      await redis.set(keys.chunk(sha256, 0), wrong);
      await failureOf(MissingContentError, () => fetch());
      expect(await filesOf(join(folder.path, "fetched"))).toEqual([]);
    }
    // Who put it puts it again when he is told that it is not there.
    await store.putFile(demoAdapter, sha256);
    await failureOf(MissingContentError, () => fetch());
    store.forget();
    await store.putFile(demoAdapter, sha256);
    await fetch();
    expect(await sha256File(path)).toBe(sha256);
    await redis.set(keys.text(digest("[1]")), "[2]");
    await failureOf(MissingContentError, () => store.texts([digest("[1]")]));
  });

  it("keeps nothing whose hash is wrong, and what is there under the right one", async () => {
    const store = new ContentStore(redis);
    store.forget();
    await store.putFile(demoAdapter, sha256);
    const path = join(folder.path, "cache");
    const cache = new AdapterCache(new CacheFolder(path, 10e6), await readBaseModel(demoModel), store);
    const adapter = { ...(await loadGgufAdapter(demoAdapter)), sha256 };
    for (let i = 1; i <= 5; i++) {
      const modules = adapter.modules.slice(0, i).map(({ name }) => name);
      const forged = wanted([{ sha256: digest(String(i)), modules, padded: false }]);
      expect((await failureOf(QueueError, () => cache.piecesOf(forged))).message).toContain("comes out otherwise");
    }
    expect(await filesOf(path)).toEqual([`${sha256}.gguf`]);
    const modules = adapter.modules.slice(0, 7);
    await mkdir(join(folder.path, "own"));
    const own = await writePiece(adapter, modules, join(folder.path, "own"));
    const right = wanted([
      { sha256: await sha256File(own.path), modules: modules.map(({ name }) => name), padded: true },
    ]);
    const [piece] = await cache.piecesOf(right);
    expect(await readFile(piece?.paddedPath ?? "")).toEqual(await readFile(own.paddedPath ?? ""));
    expect((await filesOf(path)).every((name) => /^[0-9a-f]{64}(-padded)?\.gguf$/.test(name))).toBe(true);
    // A file that was damaged or removed is made again.
    await writeFile(join(path, "adapters", `${sha256}.gguf`), "damaged");
    const again = new AdapterCache(new CacheFolder(path, 10e6), await readBaseModel(demoModel), store);
    expect(await again.piecesOf(right)).toEqual([piece]);
  });

  it("never grows beyond its limit: what was not used for longest goes first, what is in use stays", async () => {
    const path = join(folder.path, "limited");
    const cache = new CacheFolder(path, 1000);
    await mkdir(join(path, "adapters"), { recursive: true });
    const files = ["oldest", "older", "held", "lately"].map((name) => cache.path("adapters", digest(name)));
    for (const [i, file] of files.entries()) {
      await writeFile(file, Buffer.alloc(250));
      const used = new Date(Date.now() - (i === 3 ? 1 : 1000 - i) * 1000);
      await utimes(file, used, used);
    }
    const [oldest = "", older = "", held = "", lately = ""] = files;
    await cache.hold(held);
    await utimes(held, new Date(1), new Date(1));
    await cache.makeRoom(200);
    const names = async (): Promise<string[]> => (await filesOf(path)).sort();
    const hashes = (...paths: string[]): string[] => paths.map((one) => one.slice(-69)).sort();
    expect(await names()).toEqual(hashes(older, held, lately));
    expect(oldest).not.toBe("");
    const { message } = await failureOf(QueueError, () => cache.makeRoom(1001));
    expect(message).toMatch(/no room.*--cache-size/);
    expect(() => cache.path("pieces", "../../evil")).toThrow(RangeError);
    expect(["10GB", "1.5 MiB", "7"].map(byteCount)).toEqual([10e9, 1.5 * 2 ** 20, 7]);
  });
});

describe("what a worker says of its model", () => {
  it.each([
    ["samples of its bytes", false],
    ["all of its bytes", true],
  ])("holds by %s for a copy, and not for another model under the same name", async (_, fullHash) => {
    const path = join(folder.path, "model.gguf");
    await cp(demoModel, path);
    const proof = await ModelProof.of(await readBaseModel(path), fullHash);
    await proof.assertSame();
    await writeFile(path, await readFile(demoModel));
    await proof.assertSame();
    const bytes = await readFile(demoModel);
    bytes.fill(1, bytes.length - (1 << 17));
    await writeFile(path, bytes);
    const { message } = await failureOf(OtherModelError, () => proof.assertSame());
    expect(message).toContain("is not the model any more that this worker has announced");
    await failureOf(OtherModelError, () => {
      proof.assertLogits(digest("a"), digest("b"));
    });
  });
});

describe("what a worker tells others", () => {
  it("has no path of its machine in it", () => {
    const known = ["/srv/my models/base.gguf", "/var/cache/boundary"];
    for (const [message, shown] of [
      ["cannot read /home/me/a b.gguf: no such file", /^cannot read (a|.*a b.gguf)/],
      ["loading /srv/my models/base.gguf failed", /^loading base.gguf failed$/],
      ["at /var/cache/boundary/pieces/abc.gguf.", /^at abc.gguf.$/],
      ["open 'C:\\Users\\me\\x.gguf'", /^open 'x.gguf'$/],
      ["(file:///opt/app/dist/host.js:3:1)", /^\(host.js:3:1\)$/],
      ["/usr/lib/libcuda.so: not found", /^libcuda.so: not found$/],
    ] as const) {
      expect(withoutPaths(message, known)).toMatch(shown);
      expect(withoutPaths(message, known)).not.toMatch(/home|srv|my models|var|Users|opt|usr/);
    }
    expect(withoutPaths("3/4 of blk.0.attn_q, and/or 5 tokens/s", known)).toBe(
      "3/4 of blk.0.attn_q, and/or 5 tokens/s",
    );
    expect(shortened("a\u001b[2J\u202eb", 10)).toBe("a?[2J?b");
    expect(shortened("x".repeat(30), 10)).toHaveLength(10);
  });
});
