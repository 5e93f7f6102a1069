import type { Redis } from "ioredis";
import { EngineError, InterruptedError, QueueError, type BoundaryError } from "../errors.js";
import type { Ask } from "./ask.js";
import { AskPool } from "./ask-pool.js";
import { composeJob, promptsOf } from "./compose-job.js";
import { anotherConnection, BLOCK_MS, redisFailure } from "./connection.js";
import type { ContentStore } from "./content-store.js";
import { digest } from "./digest.js";
import { keys } from "./keys.js";
import { Lane } from "./lane.js";
import { LIMITS, tooLarge, type Entry, type Job, type Row } from "./messages.js";
import type { Announcement } from "./presence.js";
import { ResultReader } from "./result-stream.js";

/** Between two looks at the workers and at jobs that fell silent, in milliseconds. */
const LOOK_MS = 2_000;
/** Looks at which a job is found neither in the queue nor ended before it counts as lost. */
const LOST_LOOKS = 2;
/** So often asks may be handed out without coming back whole. */
const MOST_TRIES = 8;
/** A lane without workers for so long gives its jobs to others, in milliseconds. */
const EMPTY_LANE_MS = 30_000;
/** Time limit of a job: so many times what it should take, and at least so long, in milliseconds; longer while nobody knows. */
const TIMEOUT_FACTOR = 10;
const LEAST_TIMEOUT_MS = 60_000;
const UNKNOWN_TIMEOUT_MS = 1_800_000;
/** Answers kept of asks that nobody made yet: those of a run that was broken off. */
const MOST_EARLY_ROWS = 200_000;

/** A job that was handed out. */
interface Flight {
  readonly id: string;
  readonly lane: Lane;
  readonly cost: number;
  /** Undefined for calls. */
  readonly asks: readonly Ask[] | undefined;
  readonly job: Job;
  /** What it names by hash. */
  readonly texts: () => readonly string[];
  /** Looks at which it was missing from the queue. */
  missed: number;
  readonly resolve?: (result: unknown) => void;
  readonly reject?: (error: unknown) => void;
  tries: number;
}

/** What a dispatcher is told. */
export interface DispatcherOptions {
  readonly url: string;
  readonly redis: Redis;
  readonly store: ContentStore;
  readonly run: string;
  /** The adapter as the engine loads it. */
  readonly adapter: { readonly path: string; readonly sha256: string };
  /** The workers that may be asked, by the queue that they take jobs from. */
  readonly findWorkers: () => Promise<readonly Announcement[]>;
  readonly onNote: (line: string) => void;
  /** Told of each row with the id of the worker that found it. */
  readonly onRow?: (row: Row, worker: string) => void;
}

/** Hands asks and calls out as jobs, takes the results, and hands out again what was lost. */
export class Dispatcher {
  private readonly pool = new AskPool();
  private readonly asks = new Map<string, Ask>();
  private readonly flights = new Map<string, Flight>();
  private readonly lanes = new Map<string, Lane>();
  private readonly early = new Map<string, Row[]>();
  private earlyRows = 0;
  private readonly blocking: Redis;
  private readonly reader: ResultReader;
  private following: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isPumping = false;
  private isPumpAsked = false;
  private isClosed = false;
  private failure: BoundaryError | undefined;

  constructor(private readonly options: DispatcherOptions) {
    const { redis, run } = options;
    this.blocking = anotherConnection(redis);
    this.reader = new ResultReader(
      this.blocking,
      redis,
      run,
      (entry) => {
        this.receive(entry);
      },
      (error) => {
        if (!this.isClosed) options.onNote(error instanceof Error ? error.message : String(error));
      },
    );
  }

  /** Takes what an earlier run left, and begins. */
  async start(): Promise<void> {
    await this.clearOrphans();
    await this.reader.drain();
    await this.look();
    this.following = this.reader.follow(BLOCK_MS);
    this.timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** Hands asks out. @throws QueueError, EngineError where they cannot be answered; InterruptedError when it is closed. */
  async answer(asks: readonly Ask[]): Promise<void> {
    this.assertOpen();
    const open: Ask[] = [];
    for (const ask of asks) {
      if (this.asks.has(ask.key)) throw new RangeError("the same prompts are being answered already");
      this.asks.set(ask.key, ask);
      for (const { boundary, generation } of this.takeEarly(ask.key)) ask.take(boundary, generation);
      if (ask.isEnded) this.asks.delete(ask.key);
      else open.push(ask);
    }
    this.pool.add(open);
    this.pump();
    await Promise.all(asks.map((ask) => ask.whenEnded()));
  }

  /**
   * Has one worker make a call.
   * @param texts what the job names by hash.
   * @returns its result. @throws as {@link answer}.
   */
  async call(job: Job, texts: readonly string[]): Promise<unknown> {
    this.assertOpen();
    const lane = await this.anyLane();
    const flight = { id: jobId(job), lane, cost: 0, asks: undefined, job, texts: () => texts, missed: 0, tries: 0 };
    return new Promise((resolve, reject) => {
      void this.submit({ ...flight, resolve, reject });
    });
  }

  /** The workers that may be asked now. */
  get workers(): readonly Announcement[] {
    return [...this.lanes.values()].flatMap((lane) => lane.workers);
  }

  /** Ends all that is under way, and takes jobs that no worker has out of the queue. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.timer);
    this.reader.stop();
    const isIdle = this.flights.size === 0 && this.failure === undefined;
    this.failAll(new InterruptedError({ what: "stopped" }));
    const { redis, store, run } = this.options;
    const isConnected = redis.status === "ready";
    if (isConnected) {
      await this.removeWaiting();
      if (isIdle) {
        await redis.unlink(keys.results(run), keys.jobs(run)).catch(() => undefined);
        await store.removeAll().catch(() => undefined);
      }
      await Promise.all([...this.lanes.values()].map((lane) => lane.close())).catch(() => undefined);
    }
    this.blocking.disconnect();
    await this.following;
  }

  private assertOpen(): void {
    if (this.isClosed) throw new InterruptedError({ what: "stopped" });
    if (this.failure) throw this.failure;
  }

  /** What an earlier coordinator of this run left in the queues: nobody waits for it. Jobs that a worker has end by themselves. */
  private async clearOrphans(): Promise<void> {
    const { redis, run } = this.options;
    const orphans = Object.entries(await redis.hgetall(keys.jobs(run)));
    for (const [id, queue] of orphans) {
      const lane = this.laneOf(queue);
      if (await lane.remove(id)) await redis.hdel(keys.jobs(run), id);
    }
  }

  private async look(): Promise<void> {
    try {
      await this.refreshLanes();
      await this.findLost();
    } catch (error) {
      if (!this.isClosed) this.options.onNote(redisFailure(this.options.url, error).message);
    }
    this.pump();
  }

  private async refreshLanes(): Promise<void> {
    const byQueue = new Map<string, Announcement[]>();
    for (const worker of await this.options.findWorkers()) {
      byQueue.set(worker.queue, [...(byQueue.get(worker.queue) ?? []), worker]);
    }
    for (const queue of byQueue.keys()) this.laneOf(queue);
    for (const lane of this.lanes.values()) {
      lane.workers = byQueue.get(lane.name) ?? [];
      if (lane.workers.length > 0) lane.seen = performance.now();
    }
  }

  private laneOf(queue: string): Lane {
    const known = this.lanes.get(queue) ?? new Lane(queue, this.options.redis);
    this.lanes.set(queue, known);
    return known;
  }

  private async anyLane(): Promise<Lane> {
    for (;;) {
      const lanes = [...this.lanes.values()].filter((lane) => lane.workers.length > 0);
      const [lane] = lanes.sort((a, b) => a.jobs / a.workers.length - b.jobs / b.workers.length);
      if (lane) return lane;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      this.assertOpen();
    }
  }

  /** Asks for a round of handing out: many calls in a row make one. */
  private pump(): void {
    if (this.isPumpAsked || this.isClosed) return;
    this.isPumpAsked = true;
    setImmediate(() => {
      this.isPumpAsked = false;
      void this.handOut();
    });
  }

  private async handOut(): Promise<void> {
    if (this.isPumping) {
      return;
    }
    this.isPumping = true;
    try {
      for (;;) {
        const lane = [...this.lanes.values()].find(({ hasRoom }) => hasRoom);
        if (!lane || this.isClosed) return;
        const { secondsPerCost, guessedSecondsPerCost } = lane;
        const asks = this.pool.take({ secondsPerCost, guessedSecondsPerCost, workers: this.workers.length });
        if (asks.length === 0) return;
        await this.submitAsks(lane, asks);
      }
    } finally {
      this.isPumping = false;
    }
  }

  private async submitAsks(lane: Lane, asks: readonly Ask[]): Promise<void> {
    const { run, adapter } = this.options;
    const cost = this.pool.cost(asks);
    const expectedMs = lane.secondsPerCost === undefined ? undefined : 1000 * cost * lane.secondsPerCost;
    const timeoutMs =
      expectedMs === undefined
        ? UNKNOWN_TIMEOUT_MS
        : Math.max(LEAST_TIMEOUT_MS, Math.ceil(TIMEOUT_FACTOR * expectedMs));
    const job = composeJob(asks, { run, adapter: adapter.sha256, timeoutMs });
    // The time limit is no part of what is asked.
    const id = jobId({ ...job, timeoutMs: 0 });
    const texts = (): string[] => promptsOf(asks).map(({ tokens }) => JSON.stringify(tokens));
    await this.submit({ id, lane, cost, asks, job, texts, missed: 0, tries: 0 });
  }

  private async submit(flight: Flight): Promise<void> {
    const { redis, run, store, adapter, url } = this.options;
    const { id, lane, job, texts } = flight;
    this.flights.set(id, flight);
    lane.jobs += 1;
    try {
      const bytes = JSON.stringify(job).length;
      if (bytes > LIMITS.job) throw tooLarge("a job", bytes, LIMITS.job);
      await store.putFile(adapter.path, adapter.sha256);
      await store.putTexts(texts());
      await redis.hset(keys.jobs(run), id, lane.name);
      await lane.add(id, job);
    } catch (error) {
      this.failAll(redisFailure(url, error));
    }
  }

  private receive({ job, worker, rows = [], result, done, failure }: Entry): void {
    for (const row of rows) this.takeRow(row, worker);
    const flight = this.flights.get(job);
    if (!flight) return;
    flight.missed = 0;
    if (failure) this.failed(flight, worker, failure);
    else if (done) {
      this.land(flight);
      flight.lane.learn(flight.cost, done.seconds);
      if (flight.asks) this.again(flight.asks);
      else flight.resolve?.(result);
    }
    this.pump();
  }

  private takeRow(row: Row, worker: string): void {
    this.options.onRow?.(row, worker);
    const ask = this.asks.get(row.ask);
    if (!ask) {
      this.keepEarly(row);
      return;
    }
    if (!ask.take(row.boundary, row.generation)) return;
    this.pool.saw(row.generation.tokens.length);
    if (ask.isEnded) this.asks.delete(ask.key);
  }

  private keepEarly(row: Row): void {
    if (this.earlyRows >= MOST_EARLY_ROWS) return;
    this.earlyRows += 1;
    const known = this.early.get(row.ask);
    if (known) known.push(row);
    else this.early.set(row.ask, [row]);
  }

  private takeEarly(key: string): readonly Row[] {
    const rows = this.early.get(key) ?? [];
    this.early.delete(key);
    this.earlyRows -= rows.length;
    return rows;
  }

  /** Takes a flight off the books. */
  private land(flight: Flight): void {
    if (!this.flights.delete(flight.id)) return;
    flight.lane.jobs -= 1;
    const { redis, run } = this.options;
    redis.hdel(keys.jobs(run), flight.id).catch(() => undefined);
  }

  private failed(flight: Flight, worker: string, { kind, message }: NonNullable<Entry["failure"]>): void {
    this.land(flight);
    const { store } = this.options;
    const name = this.workers.find(({ id }) => id === worker)?.name ?? worker;
    if (kind === "missing") {
      store.forget();
      this.retry(flight);
      return;
    }
    const what = kind === "refused" ? "a worker refused a job" : "a worker's engine failed";
    const error = new EngineError({ what, actual: `${name}: ${message}` });
    if (flight.reject) flight.reject(error);
    else this.failAll(error);
  }

  private retry(flight: Flight): void {
    if (flight.asks) this.again(flight.asks);
    else if (flight.tries >= MOST_TRIES) flight.reject?.(givenUp());
    else void this.submit({ ...flight, missed: 0, tries: flight.tries + 1 });
  }

  /** Hands out again what is not answered. */
  private again(asks: readonly Ask[]): void {
    const open = asks.filter((ask) => !ask.isEnded && this.asks.has(ask.key));
    for (const ask of open) {
      ask.tries += 1;
      if (ask.tries > MOST_TRIES) {
        this.failAll(givenUp());
        return;
      }
    }
    if (open.length > 0) this.pool.putBack(open);
  }

  /** Finds jobs that are neither in the queue nor ended: Redis lost them, or BullMQ gave them up. */
  private async findLost(): Promise<void> {
    const flights = [...this.flights.values()];
    if (flights.length === 0) return;
    const pipeline = this.options.redis.pipeline();
    for (const { lane, id } of flights) pipeline.exists(lane.jobKey(id));
    const replies = (await pipeline.exec()) ?? [];
    for (const [i, flight] of flights.entries()) {
      const [error, count] = replies[i] ?? [null, 1];
      if (error) continue;
      flight.missed = count === 1 ? 0 : flight.missed + 1;
      if (flight.missed >= LOST_LOOKS && this.flights.has(flight.id)) {
        this.land(flight);
        this.options.store.forget();
        this.retry(flight);
      }
    }
    await this.takeBackFromEmptyLanes();
  }

  private async takeBackFromEmptyLanes(): Promise<void> {
    if (this.workers.length === 0) return;
    for (const flight of [...this.flights.values()]) {
      const { lane } = flight;
      if (lane.workers.length > 0 || performance.now() - lane.seen < EMPTY_LANE_MS) continue;
      await lane.remove(flight.id);
      this.land(flight);
      if (flight.asks) this.again(flight.asks);
      else void this.submit({ ...flight, lane: await this.anyLane() });
    }
  }

  private async removeWaiting(): Promise<void> {
    for (const { id, lane } of this.flights.values()) {
      if (await lane.remove(id)) {
        await this.options.redis.hdel(keys.jobs(this.options.run), id).catch(() => undefined);
      }
    }
  }

  private failAll(error: BoundaryError): void {
    this.failure ??= error;
    this.pool.takeAll();
    for (const ask of this.asks.values()) ask.fail(error);
    this.asks.clear();
    for (const flight of this.flights.values()) flight.reject?.(error);
  }
}

function jobId(job: Job): string {
  return `j${digest(JSON.stringify(job)).slice(0, 40)}`;
}

function givenUp(): QueueError {
  return new QueueError({
    what: "jobs were lost again and again",
    actual: `${MOST_TRIES} times`,
    fix: "Workers die of it or Redis forgets it: look at the workers' output, and at Redis' maxmemory and persistence.",
  });
}
