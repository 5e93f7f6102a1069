// A client of Redis that knows its password but not the queue's key, and sees every command that others send.
import { createHmac, randomUUID } from "node:crypto";
import { Queue } from "bullmq";
import { Redis } from "ioredis";

/** Messages that are kept to be sent again. */
const MOST_KEPT = 50;
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

  /** Does something too large to be watched. */
  async unseen(work) {
    this.monitor.disconnect();
    await work();
    await this.watch();
  }

  async watch() {
    this.monitor = await this.redis.monitor();
    this.monitor.on("monitor", (_, command) => this.see(command));
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
    this.monitor?.disconnect();
    this.redis.disconnect();
  }

  see([name = "", key = "", ...rest]) {
    const entry = rest.find((one) => SIGNED.test(one));
    if (/^xadd$/i.test(name) && key.startsWith("boundary:results:") && entry !== undefined) {
      this.run = key.slice("boundary:results:".length);
      keep(this.entries, entry);
    } else if (/^hset$/i.test(name) && key.startsWith("boundary:jobs:")) {
      this.run = key.slice("boundary:jobs:".length);
      void this.readJob(rest[0] ?? "");
    }
  }

  /** A job whose id was seen, as soon as it is in its queue. */
  async readJob(id) {
    for (let i = 0; i < 20; i++) {
      const data = await this.redis.hget(this.key(id), "data").catch(() => null);
      if (data !== null) {
        try {
          const text = JSON.parse(data);
          if (SIGNED.test(text)) keep(this.jobs, { id, text, job: JSON.parse(text.replace(SIGNED, "")) });
        } catch {
          // It was damaged meanwhile.
        }
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

function keep(list, one) {
  list.push(one);
  if (list.length > MOST_KEPT) list.shift();
}
