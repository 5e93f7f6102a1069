// A client of Redis that knows its password but not the queue's key, and reads what others put there.
import { createHmac, randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import { Redis } from "ioredis";

/** Messages that are kept to be sent again. */
const MOST_KEPT = 50;
/** Between two looks, in milliseconds. */
const LOOK_MS = 20;
const SIGNED = /^boundary1 [0-9a-f]{64} /;

export class Attacker {
  /** Signed jobs and answers that were seen. */
  jobs = [];
  entries = [];
  run = "unknown";
  queue = "";

  constructor(url, draw) {
    this.redis = new Redis(url, { maxRetriesPerRequest: null });
    this.redis.on("error", () => undefined);
    this.draw = draw;
  }

  watch() {
    this.watching = setInterval(() => void this.look().catch(() => undefined), LOOK_MS);
  }

  async findQueue() {
    const announcement = await this.announcement();
    if (announcement === null) return false;
    this.queue = JSON.parse(announcement.replace(/^boundary1 \S+ /, "")).queue;
    this.bull = new Queue(this.queue, { connection: this.redis, prefix: "boundary" });
    this.bull.on("error", () => undefined);
    return true;
  }

  pick(list) {
    return list[Math.floor(this.draw() * list.length)];
  }

  word(begin) {
    return `${begin}${Math.floor(this.draw() * 1e9)}`;
  }

  key(name) {
    return `boundary:${this.queue}:${name}`;
  }

  results(run = this.run) {
    return `boundary:results:${run}`;
  }

  unsigned(value) {
    return `boundary1 unsigned ${JSON.stringify(value)}`;
  }

  signed(purpose, value, key = "a key of the attacker's own") {
    const body = JSON.stringify(value);
    const parts = JSON.stringify(["boundary1", ...purpose, body]);
    return `boundary1 ${createHmac("sha256", key).update(parts).digest("hex")} ${body}`;
  }

  addJob(data, jobId = this.word("job")) {
    return this.bull.add("answers", data, { jobId, attempts: 1 });
  }

  addEntry(text, run = this.run) {
    return this.redis.xadd(this.results(run), "*", "json", text);
  }

  /** Wakes workers as BullMQ does when a job is added. */
  wake() {
    return this.redis.zadd(this.key("marker"), 0, "0");
  }

  waiting() {
    return this.redis.lrange(this.key("wait"), 0, 20);
  }

  workerIds() {
    return this.redis.smembers("boundary:workers").catch(() => []);
  }

  /** The announcement of a worker that has the key. */
  async announcement() {
    for (const id of await this.workerIds()) {
      const text = await this.redis.get(`boundary:worker:${id}`).catch(() => null);
      if (text !== null && SIGNED.test(text)) return text;
    }
    return null;
  }

  async announce(make) {
    const id = randomUUID();
    const text = (await this.announcement()) ?? "boundary1 unsigned {}";
    const worker = { ...JSON.parse(text.replace(/^boundary1 \S+ /, "")), id, name: this.word("forged-") };
    await this.redis.set(`boundary:worker:${id}`, make(worker, id), "EX", 20);
    await this.redis.sadd("boundary:workers", id);
  }

  async scan(pattern) {
    const [, found] = await this.redis.scan(0, "MATCH", pattern, "COUNT", 1000);
    return found.slice(0, 50);
  }

  close() {
    clearInterval(this.watching);
    this.redis.disconnect();
  }

  /** Reads the jobs that are out, and answers before the coordinator fetches them. */
  async look() {
    const [list] = await this.scan("boundary:jobs:*");
    if (list === undefined) return;
    this.run = list.slice("boundary:jobs:".length);
    for (const id of await this.redis.hkeys(list)) if (!this.jobs.some((one) => one.id === id)) await this.readJob(id);
    for (const [, [, text]] of await this.redis.xrange(this.results(), "-", "+", "COUNT", 3)) {
      if (SIGNED.test(text) && !this.entries.includes(text)) keep(this.entries, text);
    }
  }

  async readJob(id) {
    const data = await this.redis.hget(this.key(id), "data");
    const text = data === null ? undefined : JSON.parse(data);
    if (SIGNED.test(text)) keep(this.jobs, { id, text, job: JSON.parse(text.replace(SIGNED, "")) });
  }
}

function keep(list, one) {
  list.push(one);
  if (list.length > MOST_KEPT) list.shift();
}
