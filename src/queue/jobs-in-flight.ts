import type { Redis } from "ioredis";
import { at } from "../assert.js";
import { messageOf } from "../errors.js";
import type { AnswerRequest } from "./answer-request.js";
import type { NamedText } from "./content-store.js";
import { z } from "zod";
import { keys } from "./keys.js";
import type { WorkerQueue } from "./worker-queue.js";
import type { Job } from "./messages.js";
import { READ_HASH } from "./scripts.js";
import type { Seal } from "./seal.js";
import type { Dispute } from "./disputes.js";

/** A lane without workers for so long gives its jobs to others, in milliseconds. */
const EMPTY_LANE_MS = 30_000;
/** A job is handed out again after so many times its time limit, and so long more, in milliseconds: another was before it, and may have been lost twice. */
const OVERDUE_FACTOR = 3;
const OVERDUE_MS = 120_000;
/** Jobs of an earlier coordinator that are looked at, and bytes of what is written of each. */
const MOST_ORPHANS = 10_000;
const ORPHAN_BYTES = 1_000;

const pairsSchema = z.array(z.string());
const queueSchema = z.string().max(200);

/** A job that was handed out. */
export interface JobInFlight {
  readonly id: string;
  readonly lane: WorkerQueue;
  readonly cost: number;
  /** Undefined for calls. */
  readonly asks: readonly AnswerRequest[] | undefined;
  readonly job: Job;
  /** What it names by hash. */
  readonly texts: readonly NamedText[];
  readonly resolve?: (result: unknown) => void;
  readonly reject?: (error: unknown) => void;
  /** How often it was handed out before. */
  readonly tries: number;
  /** Where it is to show which of two different answers is right. */
  readonly dispute?: Dispute;
}

/** The jobs of a run that were handed out and have not ended; their ids are in Redis too, for whoever takes the run up again. */
export class JobsInFlight {
  /** With when each was first missing from its queue, in milliseconds of performance.now(); undefined until it is in there. */
  private readonly missed = new Map<JobInFlight, number | undefined>();
  private readonly byId = new Map<string, JobInFlight>();
  private readonly since = new Map<JobInFlight, number>();
  /** Queues of jobs that have ended, or that an earlier coordinator of this run has handed out, by their ids: their answers may still come. */
  private readonly past = new Map<string, string>();
  private readonly inherited = new Set<string>();

  constructor(
    private readonly redis: Redis,
    private readonly seal: Seal,
    private readonly run: string,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  get all(): readonly JobInFlight[] {
    return [...this.byId.values()];
  }

  get(id: string): JobInFlight | undefined {
    return this.byId.get(id);
  }

  /** The queue of a job that this or an earlier coordinator of the run has handed out; undefined for any other. */
  queueOf(id: string): string | undefined {
    return this.byId.get(id)?.lane.name ?? this.past.get(id);
  }

  /** Whether it was an earlier coordinator of this run that handed a job out. */
  isInherited(id: string): boolean {
    return this.inherited.has(id);
  }

  /** Removes what an earlier coordinator of this run left in queues: nobody waits for it. Jobs that a worker has end by themselves. */
  async removeOrphans(laneOf: (queue: string) => WorkerQueue): Promise<void> {
    const reply = await this.redis.eval(READ_HASH, 1, keys.jobs(this.run), MOST_ORPHANS, ORPHAN_BYTES);
    const pairs = pairsSchema.parse(reply);
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const [id, text] = [at(pairs, i), at(pairs, i + 1)];
      const queue = this.opened(id, text);
      if (queue !== undefined) {
        this.past.set(id, queue);
        this.inherited.add(id);
      }
      if (queue === undefined || (await laneOf(queue).remove(id))) await this.redis.hdel(keys.jobs(this.run), id);
    }
  }

  private opened(id: string, text: string): string | undefined {
    try {
      return queueSchema.parse(this.seal.open(["handed-out", this.run, id], text));
    } catch {
      return undefined;
    }
  }

  /** Takes a job onto the books and puts it into its queue when `prepare` has put there what it names. */
  async takeOff(flight: JobInFlight, prepare: () => Promise<void>): Promise<void> {
    this.byId.set(flight.id, flight);
    this.missed.set(flight, undefined);
    this.since.set(flight, performance.now());
    flight.lane.jobs += 1;
    await prepare();
    const text = this.seal.close(["handed-out", this.run, flight.id], flight.lane.name);
    await this.list(flight.id, text);
    await flight.lane.add(flight.id, flight.job);
    if (this.missed.has(flight)) this.missed.set(flight, Infinity);
  }

  private async list(id: string, text: string): Promise<void> {
    const key = keys.jobs(this.run);
    try {
      await this.redis.hset(key, id, text);
    } catch (error) {
      // Somebody has put something else there.
      if (!messageOf(error).startsWith("WRONGTYPE")) throw error;
      await this.redis.unlink(key);
      await this.redis.hset(key, id, text);
    }
  }

  /** Takes a job off the books. */
  land(flight: JobInFlight): void {
    if (!this.missed.delete(flight)) return;
    this.byId.delete(flight.id);
    this.since.delete(flight);
    this.past.set(flight.id, flight.lane.name);
    flight.lane.jobs -= 1;
    this.redis.hdel(keys.jobs(this.run), flight.id).catch(() => undefined);
  }

  /**
   * Takes jobs off the books that are neither in their queue nor ended: Redis lost them, or BullMQ gave them up.
   * @param drainedAt when nothing was left to read of what workers told: they tell it before a job leaves its queue.
   * @returns them.
   */
  async landLost(drainedAt: number): Promise<JobInFlight[]> {
    const flights = [...this.missed].flatMap(([flight, missed]) => (missed === undefined ? [] : [flight]));
    const now = performance.now();
    const held = await Promise.all(flights.map(({ lane, id }) => lane.holds(id)));
    const lost = flights.filter((flight, i) => {
      const since = this.missed.get(flight);
      if (since === undefined) return false;
      this.missed.set(flight, held[i] ? Infinity : Math.min(since, now));
      return !held[i] && since < drainedAt;
    });
    for (const flight of lost) this.land(flight);
    return lost;
  }

  /** Takes jobs off the books that should have ended long ago, and out of their queues where no worker has them. @returns them. */
  async landOverdue(): Promise<JobInFlight[]> {
    const overdue = this.all.filter((flight) => {
      const limit = OVERDUE_FACTOR * flight.job.timeoutMs + OVERDUE_MS;
      return performance.now() - (this.since.get(flight) ?? Infinity) > limit;
    });
    for (const flight of overdue) {
      await flight.lane.remove(flight.id);
      this.land(flight);
    }
    return overdue;
  }

  /** Takes jobs off the books and out of queues that have no workers any more. @returns them. */
  async landStranded(): Promise<JobInFlight[]> {
    const stranded = this.all.filter(({ lane }) => {
      return lane.workers.length === 0 && performance.now() - lane.seen >= EMPTY_LANE_MS;
    });
    for (const flight of stranded) {
      await flight.lane.remove(flight.id);
      this.land(flight);
    }
    return stranded;
  }

  /** Takes jobs that no worker has out of their queues. */
  async removeWaiting(): Promise<void> {
    for (const flight of this.all) if (await flight.lane.remove(flight.id)) this.land(flight);
  }
}
