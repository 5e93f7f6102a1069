import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { keys } from "./keys.js";
import { entryText, parseEntry, type Entry } from "./messages.js";

/** How long results stay in Redis that nobody fetches, in seconds. */
const KEPT_SECONDS = 24 * 3600;
/** Entries fetched at once. */
const READ_COUNT = 200;

/** Puts what a worker found into a run's stream. @throws QueueError when it is too large; Redis's own errors. */
export async function putEntry(redis: Redis, run: string, entry: Entry): Promise<void> {
  const key = keys.results(run);
  const text = entryText(entry);
  const [added] = (await redis.pipeline().xadd(key, "*", "json", text).expire(key, KEPT_SECONDS).exec()) ?? [];
  if (added?.[0]) throw added[0];
}

/**
 * Reads a run's stream from its beginning and removes what was read: so a coordinator finds what workers found while there was none.
 * @param redis a connection of its own: reads block.
 * @param onEntry called in the order of the stream.
 */
export class ResultReader {
  /** When nothing was left to read, last, in milliseconds of performance.now(). */
  drainedAt = -Infinity;
  private stopped = false;

  constructor(
    private readonly blocking: Redis,
    private readonly redis: Redis,
    private readonly run: string,
    private readonly onEntry: (entry: Entry) => void,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Takes what is there already. */
  async drain(): Promise<void> {
    while ((await this.take(undefined)) > 0);
  }

  /** Reads until it is stopped. */
  async follow(blockMs: number): Promise<void> {
    while (!this.isStopped()) {
      try {
        await this.take(blockMs);
      } catch (error) {
        if (this.isStopped()) return;
        this.onError(error);
        await sleep(200);
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private isStopped(): boolean {
    return this.stopped;
  }

  private async take(blockMs: number | undefined): Promise<number> {
    const key = keys.results(this.run);
    const asked = performance.now();
    const reply =
      blockMs === undefined
        ? await this.redis.xread("COUNT", READ_COUNT, "STREAMS", key, "0")
        : await this.blocking.xread("COUNT", READ_COUNT, "BLOCK", blockMs, "STREAMS", key, "0");
    const entries = reply?.[0]?.[1] ?? [];
    const ids: string[] = [];
    for (const [id, fields] of entries) {
      ids.push(id);
      this.tell(fields[1] ?? "");
    }
    if (ids.length > 0) await this.redis.xdel(key, ...ids);
    if (ids.length < READ_COUNT) this.drainedAt = asked;
    return ids.length;
  }

  private tell(text: string): void {
    let entry: Entry;
    try {
      entry = parseEntry(text);
    } catch (error) {
      this.onError(error);
      return;
    }
    this.onEntry(entry);
  }
}
