import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { EngineError, InterruptedError, QueueError, messageOf, type BoundaryError } from "../errors.js";
import { tokensText, type Ask } from "./ask.js";
import { AskPool } from "./ask-pool.js";
import { composeJob } from "./compose-job.js";
import { anotherConnection, BLOCK_MS, redisFailure } from "./connection.js";
import type { ContentStore, NamedText } from "./content-store.js";
import { digest } from "../formats/digest.js";
import { keys } from "./keys.js";
import { EarlyRows } from "./early-rows.js";
import { Flights, type Flight } from "./flights.js";
import type { Lane } from "./lane.js";
import { Lanes } from "./lanes.js";
import { LIMITS, tooLarge, type Entry, type Job, type Row } from "./messages.js";
import type { Announcement } from "./presence.js";
import { Rounds } from "./rounds.js";
import { RunClaim } from "./run-claim.js";
import { ResultReader } from "./result-stream.js";
import type { ChosenWorker } from "./worker-choice.js";
import { withinTime } from "./within-time.js";
import { WorkerTally } from "./worker-tally.js";

/** Between two looks at the workers and at jobs that fell silent, in milliseconds. */
const LOOK_MS = 2_000;
/** So often asks may be handed out without coming back whole. */
const MOST_TRIES = 8;
/** Jobs put into queues at once: each waits for Redis some times. */
const JOBS_AT_ONCE = 64;
/** Most time for tidying up at the end, in milliseconds. */
const CLOSE_MS = 10_000;
/** Between two tellings of what each worker does, in milliseconds. */
const TELL_MS = 30_000;

/** What a dispatcher is told. */
export interface DispatcherOptions {
  readonly url: string;
  readonly redis: Redis;
  readonly store: ContentStore;
  readonly run: string;
  /** The adapter as the engine loads it. */
  readonly adapter: { readonly path: string; readonly sha256: string };
  /** The workers that may be asked. */
  readonly findWorkers: () => Promise<readonly ChosenWorker[]>;
  readonly onNote: (line: string) => void;
  /** Where workers differ: what is written beside each answer of theirs. */
  readonly mark?: (worker: Announcement) => string;
}

/** Hands asks and calls out as jobs, takes the results, and hands out again what was lost. */
export class Dispatcher {
  private readonly pool = new AskPool();
  private readonly asks = new Map<string, Ask>();
  private readonly claim: RunClaim;
  private readonly flights: Flights;
  private readonly lanes: Lanes;
  private readonly early = new EarlyRows();
  private readonly tally = new WorkerTally();
  private told = performance.now();
  private readonly blocking: Redis;
  private readonly reader: ResultReader;
  private following: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly handingOut = new Rounds(async () => {
    const submitted = this.submitSome();
    await Promise.all(submitted);
    return submitted.length > 0;
  });
  private isClosed = false;
  private failure: BoundaryError | undefined;

  constructor(private readonly options: DispatcherOptions) {
    const { redis, run } = options;
    this.lanes = new Lanes(redis);
    this.claim = new RunClaim(redis, run);
    this.flights = new Flights(redis, run);
    this.blocking = anotherConnection(redis);
    this.reader = new ResultReader(
      this.blocking,
      redis,
      run,
      (entry) => {
        this.receive(entry);
      },
      (error) => {
        if (!this.isClosed) options.onNote(messageOf(error));
      },
    );
  }

  /** Takes what an earlier run left, and begins. @throws QueueError when Redis refuses. */
  async start(): Promise<void> {
    try {
      await this.claim.take();
      await this.flights.removeOrphans((queue) => this.lanes.of(queue));
      await this.reader.drain();
    } catch (error) {
      this.blocking.disconnect();
      throw redisFailure(this.options.url, error);
    }
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
      for (const { boundary, generation } of this.early.take(ask.key)) ask.take(boundary, generation);
      if (ask.isEnded) this.asks.delete(ask.key);
      else open.push(ask);
    }
    this.pool.add(open);
    this.handingOut.ask();
    await Promise.all(asks.map((ask) => ask.whenEnded()));
  }

  /**
   * Has one worker make a call.
   * @param texts what the job names by hash.
   * @returns its result. @throws as {@link answer}.
   */
  async call(job: Job, texts: readonly NamedText[]): Promise<unknown> {
    this.assertOpen();
    const lane = await this.anyLane();
    const flight = { id: jobId(job), lane, cost: 0, asks: undefined, job, texts, tries: 0 };
    return new Promise((resolve, reject) => {
      void this.submit({ ...flight, resolve, reject });
    });
  }

  /** The workers that may be asked now. */
  get workers(): readonly Announcement[] {
    return this.lanes.workers;
  }

  /** Ends all that is under way, and takes jobs that no worker has out of the queue. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.timer);
    this.reader.stop();
    const isIdle = this.flights.size === 0 && this.failure === undefined;
    this.failAll(new InterruptedError({ what: "stopped" }));
    // A server that does not answer now must not keep the user waiting.
    if (this.options.redis.status === "ready") await withinTime(CLOSE_MS, this.tidy(isIdle));
    this.blocking.disconnect();
    await this.following;
  }

  private async tidy(isIdle: boolean): Promise<void> {
    const { redis, store, run } = this.options;
    if (!(await this.claim.release())) return;
    await this.flights.removeWaiting();
    if (isIdle) {
      await redis.unlink(keys.results(run), keys.jobs(run));
      await store.removeAll();
    }
    await this.lanes.close();
  }

  private assertOpen(): void {
    if (this.isClosed) throw new InterruptedError({ what: "stopped" });
    if (this.failure) throw this.failure;
  }

  private async look(): Promise<void> {
    try {
      if (!(await this.claim.keep())) this.failAll(takenUp());
      const workers = await this.options.findWorkers();
      if (workers.length === 0 && this.workers.length > 0) {
        this.options.onNote("no worker is there any more; waiting for one");
      }
      this.lanes.refresh(workers);
      await this.findLost();
      this.tell();
    } catch (error) {
      if (!this.isClosed) this.options.onNote(redisFailure(this.options.url, error).message);
    }
    this.handingOut.ask();
  }

  private tell(): void {
    if (performance.now() - this.told < TELL_MS) return;
    this.told = performance.now();
    for (const line of this.tally.lines(this.workers)) this.options.onNote(line);
  }

  private async anyLane(): Promise<Lane> {
    for (;;) {
      const lane = this.lanes.leastBusy;
      if (lane) return lane;
      await sleep(LOOK_MS);
      this.assertOpen();
    }
  }

  /** Hands out as many jobs as there is room for, at most so many at once. */
  private submitSome(): Promise<void>[] {
    const submitted: Promise<void>[] = [];
    const workers = this.workers.length;
    while (submitted.length < JOBS_AT_ONCE && !this.isClosed) {
      const lane = this.lanes.withRoom;
      if (!lane) break;
      const { secondsPerCost, guessedSecondsPerCost } = lane;
      const asks = this.pool.take({ secondsPerCost, guessedSecondsPerCost, workers });
      if (asks.length === 0) break;
      submitted.push(this.submitAsks(lane, asks));
    }
    return submitted;
  }

  private async submitAsks(lane: Lane, asks: readonly Ask[]): Promise<void> {
    const { run, adapter } = this.options;
    const cost = this.pool.cost(asks);
    const timeoutMs = lane.timeoutMs(cost);
    const job = composeJob(asks, { run, adapter: adapter.sha256, timeoutMs }, { shares: !lane.isOther });
    // The time limit is no part of what is asked.
    const id = jobId({ ...job, timeoutMs: 0 });
    const texts = asks.flatMap(({ prompts }) => prompts.map(tokensText));
    await this.submit({ id, lane, cost, asks, job, texts, tries: 0 });
  }

  private async submit(flight: Flight): Promise<void> {
    const { store, adapter, url } = this.options;
    try {
      const bytes = JSON.stringify(flight.job).length;
      if (bytes > LIMITS.job) throw tooLarge("a job", bytes, LIMITS.job);
      await this.flights.takeOff(flight, async () => {
        await store.putFile(adapter.path, adapter.sha256);
        await store.putTexts(flight.texts);
      });
    } catch (error) {
      this.failAll(redisFailure(url, error));
      flight.reject?.(this.failure);
    }
  }

  private receive({ job, worker, rows = [], result, done, failure }: Entry): void {
    const { mark } = this.options;
    const announced = this.lanes.worker(worker);
    const marked = mark ? { worker: announced ? mark(announced) : worker } : {};
    for (const row of rows) this.takeRow({ ...row, generation: { ...row.generation, ...marked } }, worker);
    const flight = this.flights.get(job);
    if (!flight) return;
    if (failure) this.failed(flight, worker, failure);
    else if (done) {
      this.flights.land(flight);
      flight.lane.learn(flight.cost, done.seconds);
      if (flight.asks) this.again(flight.asks);
      else flight.resolve?.(result);
    }
    this.handingOut.ask();
  }

  private takeRow(row: Row, worker: string): void {
    this.tally.add(worker);
    const ask = this.asks.get(row.ask);
    if (!ask) {
      this.early.keep(row);
      return;
    }
    if (!ask.take(row.boundary, row.generation)) return;
    this.pool.saw(row.generation.tokens.length);
    if (ask.isEnded) this.asks.delete(ask.key);
  }

  private failed(flight: Flight, worker: string, { kind, message }: NonNullable<Entry["failure"]>): void {
    this.flights.land(flight);
    const { store } = this.options;
    const name = this.lanes.worker(worker)?.name ?? worker;
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
    else void this.submit({ ...flight, tries: flight.tries + 1 });
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

  private async findLost(): Promise<void> {
    const lost = await this.flights.landLost(this.reader.drainedAt);
    if (lost.length > 0) this.options.store.forget();
    for (const flight of lost) this.retry(flight);
    if (this.workers.length === 0) return;
    for (const flight of await this.flights.landStranded()) {
      if (flight.asks) this.again(flight.asks);
      else void this.submit({ ...flight, lane: await this.anyLane() });
    }
  }

  private failAll(error: BoundaryError): void {
    this.failure ??= error;
    this.pool.takeAll();
    for (const ask of this.asks.values()) ask.fail(error);
    this.asks.clear();
    for (const flight of this.flights.all) flight.reject?.(error);
  }
}

function jobId(job: Job): string {
  return `j${digest(JSON.stringify(job)).slice(0, 40)}`;
}

function takenUp(): QueueError {
  return new QueueError({
    what: "another coordinator has taken up this run",
    fix: "The same sweep, with the same --out, was started on another machine: let it go on there, or stop it and run the same command again.",
  });
}

function givenUp(): QueueError {
  return new QueueError({
    what: "jobs were lost again and again",
    actual: `${MOST_TRIES} times`,
    fix: "Workers die of it or Redis forgets it: look at the workers' output, and at Redis' maxmemory and persistence.",
  });
}
