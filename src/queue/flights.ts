import type { Redis } from "ioredis";
import type { Ask } from "./ask.js";
import type { NamedText } from "./content-store.js";
import { keys } from "./keys.js";
import type { Lane } from "./lane.js";
import type { Job } from "./messages.js";

/** A lane without workers for so long gives its jobs to others, in milliseconds. */
const EMPTY_LANE_MS = 30_000;

/** A job that was handed out. */
export interface Flight {
  readonly id: string;
  readonly lane: Lane;
  readonly cost: number;
  /** Undefined for calls. */
  readonly asks: readonly Ask[] | undefined;
  readonly job: Job;
  /** What it names by hash. */
  readonly texts: readonly NamedText[];
  readonly resolve?: (result: unknown) => void;
  readonly reject?: (error: unknown) => void;
  /** How often it was handed out before. */
  readonly tries: number;
}

/** The jobs of a run that were handed out and have not ended; their ids are in Redis too, for whoever takes the run up again. */
export class Flights {
  /** With when each was first missing from its queue, in milliseconds of performance.now(); undefined until it is in there. */
  private readonly missed = new Map<Flight, number | undefined>();
  private readonly byId = new Map<string, Flight>();

  constructor(
    private readonly redis: Redis,
    private readonly run: string,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  get all(): readonly Flight[] {
    return [...this.byId.values()];
  }

  get(id: string): Flight | undefined {
    return this.byId.get(id);
  }

  /** Removes what an earlier coordinator of this run left in queues: nobody waits for it. Jobs that a worker has end by themselves. */
  async removeOrphans(laneOf: (queue: string) => Lane): Promise<void> {
    const orphans = Object.entries(await this.redis.hgetall(keys.jobs(this.run)));
    for (const [id, queue] of orphans) {
      if (await laneOf(queue).remove(id)) await this.redis.hdel(keys.jobs(this.run), id);
    }
  }

  /** Takes a job onto the books and puts it into its queue when `prepare` has put there what it names. */
  async takeOff(flight: Flight, prepare: () => Promise<void>): Promise<void> {
    this.byId.set(flight.id, flight);
    this.missed.set(flight, undefined);
    flight.lane.jobs += 1;
    await prepare();
    await this.redis.hset(keys.jobs(this.run), flight.id, flight.lane.name);
    await flight.lane.add(flight.id, flight.job);
    if (this.missed.has(flight)) this.missed.set(flight, Infinity);
  }

  /** Takes a job off the books. */
  land(flight: Flight): void {
    if (!this.missed.delete(flight)) return;
    this.byId.delete(flight.id);
    flight.lane.jobs -= 1;
    this.redis.hdel(keys.jobs(this.run), flight.id).catch(() => undefined);
  }

  /**
   * Takes jobs off the books that are neither in their queue nor ended: Redis lost them, or BullMQ gave them up.
   * @param drainedAt when nothing was left to read of what workers told: they tell it before a job leaves its queue.
   * @returns them.
   */
  async landLost(drainedAt: number): Promise<Flight[]> {
    const flights = [...this.missed].flatMap(([flight, missed]) => (missed === undefined ? [] : [flight]));
    if (flights.length === 0) return [];
    const now = performance.now();
    const pipeline = this.redis.pipeline();
    for (const { lane, id } of flights) pipeline.exists(lane.jobKey(id));
    const replies = (await pipeline.exec()) ?? [];
    return flights.filter((flight, i) => {
      const [error, count] = replies[i] ?? [null, 1];
      const since = this.missed.get(flight);
      if (error || since === undefined) return false;
      this.missed.set(flight, count === 1 ? Infinity : Math.min(since, now));
      if (count === 1 || since >= drainedAt) return false;
      this.land(flight);
      return true;
    });
  }

  /** Takes jobs off the books and out of queues that have no workers any more. @returns them. */
  async landStranded(): Promise<Flight[]> {
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
