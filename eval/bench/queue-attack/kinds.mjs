// What a client can do who knows the password of Redis but not the key of the queue. Each kind takes an attacker (see attacker.mjs) and does one thing.
import { createHash } from "node:crypto";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const context = { sequences: 256, contextSize: 1 << 14, batchSize: 512, cacheType: "F16", flashAttention: "auto" };

/** A job that is sound but for its signature. */
const forgedJob = (run, more = {}) => ({
  ...{ kind: "answers", run, timeoutMs: 60_000, adapter: sha256("adapter"), adapterBytes: 4096, pieces: [] },
  settings: [{ masks: [{ boundary: 0, pieces: [] }], context, maxTokens: 1 << 20, stop: [] }],
  waves: [{ settings: 0, asks: ["a"], prompts: [{ id: "s", tokens: sha256("prompt") }] }],
  ...more,
});

const forgedRow = (ask, id, boundary) => ({
  ask,
  boundary,
  generation: {
    ...{ id, text: "forged", tokens: [1, 2, 3], stopReason: "eog", promptTokens: 7 },
    ...{ prefillMs: 1, decodeMs: 1, decodedTokens: 2 },
  },
});

/** An answer to a job that is under way, as far as the attacker can read what was asked. */
async function forgedEntry(attacker, more = {}) {
  const known = attacker.pick(attacker.jobs);
  const worker = attacker.pick(await attacker.workerIds()) ?? "w";
  const [wave] = known?.job.waves ?? [];
  const boundary = known?.job.settings?.[0]?.masks[0]?.boundary ?? 0;
  const rows = wave ? wave.prompts.map(({ id }, i) => forgedRow(wave.asks[i] ?? wave.asks[0], id, boundary)) : [];
  return { job: known?.id ?? "j1", worker, rows, ...more };
}

const flip = (text) => text.slice(0, -3) + (text.at(-3) === "1" ? "2" : "1") + text.slice(-2);
const done = { done: { seconds: 0.1 } };

export const kinds = {
  // Jobs.
  "job: bare object": (a) => a.addJob(forgedJob(a.run)),
  "job: unsigned": (a) => a.addJob(a.unsigned(forgedJob(a.run))),
  "job: signed with another key": (a, id = a.word("j")) =>
    a.addJob(a.signed(["job", a.queue, id], forgedJob(a.run)), id),
  "job: no text at all": (a) =>
    a.addJob(a.pick([null, 7, [], "", "boundary1", "boundary1 unsigned {", { toString: 1 }])),
  "job: a context that takes all memory": (a) =>
    a.addJob(
      a.unsigned(
        forgedJob(a.run, { settings: [{ ...forgedJob().settings[0], context: { ...context, contextSize: 1 << 22 } }] }),
      ),
    ),
  "job: names that lead elsewhere": (a) =>
    a.addJob(a.unsigned(forgedJob("../../run", { adapter: "../../../tmp/evil" }))),
  "job: lasts for a week": (a) => a.addJob(a.unsigned(forgedJob(a.run, { timeoutMs: 7 * 24 * 3600 * 1000 }))),
  "job: 6 MB": (a) => a.addJob(a.unsigned({ nonsense: "y".repeat(6 << 20) })),
  "job: a signed one again": (a, one = a.pick(a.jobs)) => one && a.addJob(one.text, one.id),
  "job: a signed one under another id": (a, one = a.pick(a.jobs)) => one && a.addJob(one.text),
  "job: a signed one changed": (a, one = a.pick(a.jobs)) => one && a.addJob(flip(one.text), one.id),
  "job: an answer as a job": (a, one = a.pick(a.entries)) => one && a.addJob(one),
  "job: changed where it waits": async (a) => {
    for (const id of await a.waiting())
      await a.redis.hset(a.key(id), "data", JSON.stringify(a.unsigned(forgedJob(a.run))));
  },
  "job: its data damaged where it waits": async (a) => {
    for (const id of await a.waiting()) await a.redis.hset(a.key(id), "data", a.pick(["{", "", "null", "\0"]));
  },
  "job: its options damaged where it waits": async (a) => {
    for (const id of await a.waiting())
      await a.redis.hset(a.key(id), "opts", a.pick(["{", "", "7", '{"delay":1e12,"attempts":-1}']));
  },
  "job: an id without a job": (a) => a.redis.lpush(a.key("wait"), a.word("nothing")).then(() => a.wake()),
  "job: a job without fields": async (a, id = a.word("empty")) => {
    await a.redis.hset(a.key(id), "name", "x");
    await a.redis.lpush(a.key("wait"), id);
    await a.wake();
  },
  "job: removed where it waits": async (a) => {
    for (const id of await a.waiting()) await a.redis.lrem(a.key("wait"), 0, id);
  },
  "job: its record deleted": async (a, one = a.pick(a.jobs)) => one && a.redis.del(a.key(one.id)),
  "job: said to be completed": async (a) => {
    for (const id of await a.waiting())
      await a.redis.multi().lrem(a.key("wait"), 0, id).zadd(a.key("completed"), 1, id).exec();
  },
  "job: said to have failed": async (a) => {
    for (const id of await a.redis.lrange(a.key("active"), 0, -1)) {
      await a.redis.multi().lrem(a.key("active"), 0, id).zadd(a.key("failed"), 1, id).exec();
    }
  },
  "job: its lock taken": async (a) => {
    for (const id of await a.redis.lrange(a.key("active"), 0, -1))
      await a.redis.set(a.key(`${id}:lock`), "mine", "PX", 2000);
  },
  // Answers.
  "answer: no JSON": (a) => a.addEntry("no JSON"),
  "answer: bare object": async (a) => a.addEntry(JSON.stringify(await forgedEntry(a, done))),
  "answer: unsigned": async (a) => a.addEntry(a.unsigned(await forgedEntry(a, done))),
  "answer: signed with another key": async (a) => a.addEntry(a.signed(["entry", a.run], await forgedEntry(a, done))),
  "answer: signed with an empty key": async (a) =>
    a.addEntry(a.signed(["entry", a.run], await forgedEntry(a, done), "")),
  "answer: a signed one again": (a, one = a.pick(a.entries)) => one && a.addEntry(one),
  "answer: a signed one changed": (a, one = a.pick(a.entries)) => one && a.addEntry(flip(one)),
  "answer: a signed one in another run": (a, one = a.pick(a.entries)) => one && a.addEntry(one, "another-run"),
  "answer: a job as an answer": (a, one = a.pick(a.jobs)) => one && a.addEntry(one.text),
  "answer: a failure": async (a) =>
    a.addEntry(a.unsigned(await forgedEntry(a, { failure: { kind: "engine", message: "\u001b[2J" } }))),
  "answer: a result": async (a) => a.addEntry(a.unsigned(await forgedEntry(a, { result: [[1]], ...done }))),
  "answer: 9 MB": (a) => a.addEntry(a.unsigned({ nonsense: "z".repeat(9 << 20) })),
  "answer: a thousand fields": (a) => a.redis.xadd(a.results(), "*", ...Array.from({ length: 2000 }, (_, i) => `${i}`)),
  "answer: removed": (a) => a.redis.xtrim(a.results(), "MAXLEN", 0),
  "answer: the stream is a text": (a) => a.redis.set(a.results(), "text"),
  // Workers.
  "worker: unsigned": (a) => a.announce((worker) => a.unsigned(worker)),
  "worker: signed with another key": (a) => a.announce((worker, id) => a.signed(["worker", id], worker)),
  "worker: an escape for a name": (a) =>
    a.announce((worker) => a.unsigned({ ...worker, name: "\u001b]0;owned\u0007\u001b[2J" })),
  "worker: one under another id": async (a) => {
    const text = await a.announcement();
    if (text !== null) await a.announce(() => text);
  },
  "worker: 1 MB": (a) => a.announce(() => "x".repeat(1 << 20)),
  "worker: removed": async (a) => {
    const id = a.pick(await a.workerIds());
    if (id) await a.redis.srem("boundary:workers", id);
  },
  "worker: the set is a text": (a) => a.redis.set("boundary:workers", "text"),
  // What holds a run together.
  "claim: unsigned": (a) => a.redis.set(`boundary:coordinator:${a.run}`, a.unsigned({ id: "me", at: 1e15 })),
  "claim: a list": (a) =>
    a.redis.multi().del(`boundary:coordinator:${a.run}`).lpush(`boundary:coordinator:${a.run}`, "x").exec(),
  "claim: removed": (a) => a.redis.del(`boundary:coordinator:${a.run}`),
  "handed-out: a forged one": (a) => a.redis.hset(`boundary:jobs:${a.run}`, a.word("j"), a.unsigned(a.queue)),
  "handed-out: a text": (a) => a.redis.set(`boundary:jobs:${a.run}`, "text"),
  // What jobs name by hash.
  "content: prompts replaced": async (a) => {
    for (const key of await a.scan("boundary:text:*")) await a.redis.set(key, "[1,2,3]", "EX", 600);
  },
  "content: prompts of 9 MB": async (a) => {
    for (const key of (await a.scan("boundary:text:*")).slice(0, 2))
      await a.redis.set(key, "1".repeat(9 << 20), "EX", 5);
  },
  "content: the adapter replaced": async (a) => {
    for (const key of await a.scan("boundary:file:*:*")) await a.redis.set(key, Buffer.alloc(1 << 20, 7), "EX", 600);
  },
  "content: the adapter removed": async (a) => {
    for (const key of await a.scan("boundary:file:*")) await a.redis.del(key);
  },
  // Redis and BullMQ.
  "queue: paused": (a) => a.redis.hset(a.key("meta"), "paused", 1),
  "queue: no worker at once": (a) => a.redis.hset(a.key("meta"), "concurrency", 0),
  "queue: events of 1 MB": (a) =>
    a.redis.xadd(a.key("events"), "*", "event", "completed", "jobId", "x".repeat(1 << 20)),
  "queue: a message to all": (a) => a.redis.publish(a.key("x"), "x".repeat(1 << 16)),
};
/** Kinds that cost everybody a wait each time: done a few times only. */
export const rare = {
  "redis: everything deleted": (a) => a.redis.flushall(),
  "job: 80 MB": (a) => a.addJob("z".repeat(80 << 20)),
  "answer: 80 MB": (a) => a.addEntry("z".repeat(80 << 20)),
};
