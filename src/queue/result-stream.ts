import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { z } from "zod";
import { at, defined } from "../assert.js";
import { messageOf, QueueError } from "../errors.js";
import { keys } from "./keys.js";
import { entryText, LIMITS, parseEntry, type Entry } from "./messages.js";
import { READ_ENTRIES } from "./scripts.js";
import type { Seal } from "./seal.js";
import { queueTimes } from "./times.js";

/** How long results stay in Redis that nobody fetches, in seconds. */
const KEPT_SECONDS = 24 * 3600;
/** Entries and bytes fetched at once. */
const READ_COUNT = 100;
const READ_BYTES = 4 * LIMITS.entry;

const replySchema = z.array(z.tuple([z.string()]).or(z.tuple([z.string(), z.string()])));

/** Puts what a worker found into a run's stream. @throws QueueError when it is too large; Redis's own errors. */
export async function putEntry(redis: Redis, seal: Seal, run: string, entry: Entry): Promise<void> {
  const key = keys.results(run);
  const text = entryText(seal, run, entry);
  const replies = await redis.pipeline().xadd(key, "*", "json", text).expire(key, KEPT_SECONDS).exec();
  const [error] = at(defined(replies, "the replies of Redis"), 0);
  if (error) throw error;
}

/**
 * Reads a run's stream from its beginning and removes what was read: so a coordinator finds what workers found while there was none.
 * @param onEntry called in the order of the stream. @param onRefused told why an entry is not one that a worker may have written.
 */
export class ResultReader {
  /** When nothing was left to read, last, in milliseconds of performance.now(). */
  drainedAt = -Infinity;
  private stopped = false;

  constructor(
    private readonly redis: Redis,
    private readonly seal: Seal,
    private readonly run: string,
    private readonly onEntry: (entry: Entry) => void,
    private readonly onRefused: (why: string) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Takes what is there already. */
  async drain(): Promise<void> {
    while ((await this.take()) > 0);
  }

  /** Reads until it is stopped. */
  async follow(): Promise<void> {
    while (!this.isStopped()) {
      try {
        if ((await this.take()) === 0) await sleep(queueTimes.noResult);
      } catch (error) {
        if (this.isStopped()) return;
        this.onError(error);
        await sleep(queueTimes.afterError);
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private isStopped(): boolean {
    return this.stopped;
  }

  private async take(): Promise<number> {
    const key = keys.results(this.run);
    const asked = performance.now();
    const reply = await this.redis.eval(READ_ENTRIES, 1, key, READ_COUNT, READ_BYTES, LIMITS.entry);
    const entries = replySchema.parse(reply);
    for (const [, text] of entries) this.tell(text);
    if (entries.length > 0) await this.redis.xdel(key, ...entries.map(([id]) => id));
    else this.drainedAt = asked;
    return entries.length;
  }

  private tell(text: string | undefined): void {
    let entry: Entry;
    try {
      if (text === undefined) throw new QueueError({ what: "it is longer than an answer may be, or not one text" });
      entry = parseEntry(this.seal, this.run, text);
    } catch (error) {
      this.onRefused(messageOf(error));
      return;
    }
    this.onEntry(entry);
  }
}
