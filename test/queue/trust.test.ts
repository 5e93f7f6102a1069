import { randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Generation } from "../../src/engine/engine.js";
import { QueueError } from "../../src/errors.js";
import { digest } from "../../src/files/digest.js";
import { AnswerRequest } from "../../src/queue/answer-request.js";
import { ContentStore } from "../../src/queue/content-store.js";
import { Dispatcher } from "../../src/queue/dispatcher.js";
import { keys, PREFIX } from "../../src/queue/keys.js";
import { openJob, type Entry, type Row } from "../../src/queue/messages.js";
import { announce, presentWorkers, type Announcement } from "../../src/queue/presence.js";
import { RedisAddress } from "../../src/queue/redis-address.js";
import { putEntry } from "../../src/queue/result-stream.js";
import { Seal } from "../../src/queue/seal.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { askSettingsFor } from "./answer-requests.js";
import { until } from "./demo.js";
import { hasRedis, skippedWithoutRedis, startRedis, type RedisServer } from "./redis-server.js";

const folder = temporaryFolder();
const seal = Seal.of("the key of this queue");
const queueName = `jobs-cpu-${"0".repeat(24)}`;

function announcement(name: string): Announcement {
  const hash = digest("x");
  return {
    ...{ id: randomUUID(), name, version: "1", queue: queueName, logits: hash, tokensPerSecond: 9 },
    model: { name: "m", sampled: hash, family: hash, template: hash },
    engine: {
      ...({ backend: "cpu", devices: [], gpuLayers: 0, threads: 1 } as const),
      ...{ llamaCpp: "v", nodeLlamaCpp: "v", vocabulary: 100 },
    },
    ...{ jobs: 0, answers: 0, doing: "", enginePeakBytes: 0 },
  };
}

function generation(id: string, more: Partial<Generation> = {}): Generation {
  const times = { prefillMs: 1, decodeMs: 1, decodedTokens: 1 };
  return { id, text: "right", tokens: [5, 6], stopReason: "eog", promptTokens: 3, ...times, ...more };
}

describe.skipIf(!hasRedis)(`what a coordinator takes for an answer ${skippedWithoutRedis}`, () => {
  let server: RedisServer;
  let redis: Redis;
  let dispatcher: Dispatcher;
  let queue: Queue<string>;
  const [a, b, c] = ["a", "b", "c"].map(announcement);
  if (!a || !b || !c) throw new Error("no workers");
  let present: Announcement[] = [];
  let notes: string[] = [];
  let taken: Generation[] = [];
  let ask: AnswerRequest;

  beforeAll(async () => {
    server = await startRedis(folder.path);
    redis = new Redis(server.url, { maxRetriesPerRequest: null });
    queue = new Queue(queueName, { connection: redis, prefix: PREFIX });
  });

  beforeEach(async () => {
    await redis.flushall();
    [present, notes, taken] = [[a, b, c], [], []];
    dispatcher = new Dispatcher({
      ...{ address: RedisAddress.parse(server.url), seal, redis, store: new ContentStore(redis), run: "r" },
      adapter: { path: import.meta.filename, sha256: digest("no file is put"), bytes: 9 },
      findWorkers: () => Promise.resolve(present.map((worker) => ({ worker, isOther: false }))),
      onNote: (line) => notes.push(line),
    });
    // The adapter itself is of no interest here.
    await redis.set(keys.file(digest("no file is put")), "here");
    await dispatcher.start();
    const masks = askSettingsFor().masks.slice(0, 1);
    const prompts = [{ id: "s", tokens: [1, 2, 3], sha256: digest("[1,2,3]") }];
    ask = new AnswerRequest(askSettingsFor({ masks, full: undefined }), prompts, (_, one) => taken.push(one));
  });

  afterEach(() => dispatcher.close());

  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.kill();
  });

  const handedOut = async (except: readonly string[] = []): Promise<string> => {
    for (;;) {
      const job = (await queue.getWaiting()).find(({ id }) => id !== undefined && !except.includes(id));
      if (job?.id !== undefined) return job.id;
    }
  };
  const row = (one: Generation, more: Partial<Row> = {}): Row => ({
    ask: ask.key,
    boundary: 0,
    generation: one,
    ...more,
  });
  const put = (entry: Partial<Entry>, by = seal, run = "r"): Promise<void> =>
    putEntry(redis, by, run, { job: "j", worker: a.id, ...entry });
  /** Without another prompt, an ask ends with its first answer, which may be read before the second is put. */
  const askForAnother = (): void => {
    const prompts = [...ask.prompts, { id: "t", tokens: [1, 2, 3], sha256: digest("[1,2,3]") }];
    ask = new AnswerRequest(ask.settings, prompts, (_, one) => taken.push(one));
  };
  /** Ends when everything that was put is read. */
  const read = async (): Promise<void> => {
    await until(async () => (await redis.xlen(keys.results("r"))) === 0);
  };

  it("only what a worker that was asked signs, to a job under way, and that can be one", async () => {
    const answered = dispatcher.answer([ask]);
    const job = await handedOut();
    const wrong = { ...generation("s"), text: "wrong" };
    const signed = seal.close(["entry", "other"], { job, worker: a.id, rows: [row(wrong)] });
    for (const text of [
      "no JSON",
      JSON.stringify({ job, worker: a.id, rows: [row(wrong)], done: { seconds: 1 } }),
      Seal.none.close(["entry", "r"], { job, worker: a.id, rows: [row(wrong)], done: { seconds: 1 } }),
      signed,
      "x".repeat(9 << 20),
    ]) {
      await redis.xadd(keys.results("r"), "*", "json", text);
    }
    await put({ job, rows: [row(wrong)] }, Seal.of("another key than this one"));
    await put({ job: "j-nobody-made", rows: [row(wrong)] });
    await put({ job, worker: randomUUID(), rows: [row(wrong)] });
    await put({ job, rows: [row(wrong, { ask: "nobody's" }), row(wrong, { boundary: 3 })] });
    await put({ job, rows: [row({ ...wrong, id: "t" }), row({ ...wrong, tokens: [100] })] });
    await put({
      job,
      rows: [row({ ...wrong, tokens: Array.from({ length: 9 }, () => 1) }), row({ ...wrong, promptTokens: 4 })],
    });
    await read();
    expect(taken).toEqual([]);
    await put({ job, rows: [row(generation("s"))], done: { seconds: 1 } });
    await answered;
    expect(taken).toEqual([generation("s")]);
    const said = notes.join("\n");
    for (const words of [
      "not a message of this release",
      "it is not signed",
      "was not handed out",
      "was not asked",
      "nobody asked",
    ]) {
      expect(said).toContain(words);
    }
    expect(said).toMatch(/an answer of worker a was ignored/);
  });

  it("a second answer that differs is checked by a worker that gave neither", async () => {
    askForAnother();
    const answered = dispatcher.answer([ask]);
    const first = await handedOut();
    await put({ job: first, rows: [row(generation("s"))] });
    await put({ job: first, worker: b.id, rows: [row(generation("s", { tokens: [7] }))] });
    const second = await handedOut([first]);
    const data = (await queue.getJob(second))?.data;
    expect(openJob(seal, queueName, second, data).except).toEqual([a.id, b.id]);
    // Neither of the two may decide.
    await put({ job: second, worker: b.id, rows: [row(generation("s", { tokens: [7] }))] });
    await put({ job: second, worker: c.id, rows: [row(generation("s"))], done: { seconds: 1 } });
    await put({ job: first, rows: [row(generation("t"))], done: { seconds: 1 } });
    await answered;
    expect(taken).toEqual([generation("s"), generation("t")]);
    expect(notes.join("\n")).toMatch(
      /workers a and b answered sample s under K=0 differently: another worker is asked\nworker c confirms a/,
    );
  });

  it("and ends the run where the first was wrong, or nobody can decide", async () => {
    askForAnother();
    const answered = dispatcher.answer([ask]);
    const failure = failureOf(QueueError, () => answered);
    const first = await handedOut();
    await put({ job: first, rows: [row(generation("s"))] });
    await put({ job: first, worker: b.id, rows: [row(generation("s", { tokens: [7] }))] });
    const second = await handedOut([first]);
    await put({ job: second, worker: c.id, rows: [row(generation("s", { tokens: [7] }))] });
    expect((await failure).message).toMatch(/workers a and c answered sample s under K=0 differently.*--fresh/);
  });

  it("nor does it wait where there is no third worker", async () => {
    present = [a, b];
    askForAnother();
    const failure = failureOf(QueueError, () => dispatcher.answer([ask]));
    const first = await handedOut();
    await until(() => dispatcher.workers.length === 2);
    await put({ job: first, rows: [row(generation("s"))] });
    await put({ job: first, worker: b.id, rows: [row(generation("s", { tokens: [7] }))] });
    expect((await failure).message).toContain("there is no third worker to ask");
  });

  it("announcements count with the key, under their own id, and with names that can be shown", async () => {
    const refused: string[] = [];
    await announce(redis, seal, a);
    await announce(redis, Seal.none, b);
    await announce(redis, Seal.of("another key than this one"), { ...c, name: "\u001b[2J" });
    const id = randomUUID();
    await redis.set(keys.worker(id), (await redis.get(keys.worker(a.id))) ?? "");
    await redis.sadd(keys.workers, id, "x".repeat(1 << 20));
    await announce(redis, seal, { ...announcement("d"), name: "\u202e" });
    await announce(redis, seal, { ...announcement("e"), doing: "x".repeat(201) });
    const found = await presentWorkers(redis, seal, ({ name, why }) => refused.push(`${name}: ${why}`));
    expect(found.map(({ name }) => name)).toEqual(["a"]);
    expect(refused.sort()).toEqual([
      expect.stringMatching(/^\?\[2J: it is not signed for this place/),
      expect.stringMatching(/^a: it is not signed for this place/),
      expect.stringMatching(/^b: it is not signed, and BOUNDARY_QUEUE_KEY is set here/),
    ]);
    await redis.set(keys.workers, "a text");
    expect(await presentWorkers(redis, seal)).toEqual([]);
  });
});
