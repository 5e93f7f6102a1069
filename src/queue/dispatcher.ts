import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { defined } from "../assert.js";
import { EngineError, InterruptedError, QueueError, type BoundaryError } from "../errors.js";
import { tokensText, type Ask } from "./ask.js";
import { AskPool } from "./ask-pool.js";
import { composeJob } from "./compose-job.js";
import { isOutOfMemory, redisFailure } from "./connection.js";
import type { ContentStore, NamedText } from "./content-store.js";
import { CountedNotes } from "./counted-notes.js";
import { Disputes, undecided, wrongFirst, type Dispute } from "./disputes.js";
import { keys } from "./keys.js";
import { EarlyRows } from "./early-rows.js";
import { Flights, type Flight } from "./flights.js";
import type { Lane } from "./lane.js";
import { Lanes } from "./lanes.js";
import { MESSAGE_CHARACTERS, type Entry, type Job, type Row } from "./messages.js";
import type { Announcement } from "./presence.js";
import { shortened } from "./printable.js";
import type { RedisAddress } from "./redis-address.js";
import { Rounds } from "./rounds.js";
import { RunClaim } from "./run-claim.js";
import { ResultReader } from "./result-stream.js";
import type { Seal } from "./seal.js";
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
/** Jobs are out, and nothing comes for so long, in milliseconds: that is told, and what may keep workers from taking jobs is undone. */
const SILENT_MS = 60_000;
/** Asks that are remembered when they are answered. */
const MOST_ENDED = 20_000;
/** Answers in dispute at once: more is no accident. */
const MOST_DISPUTES = 16;
/** So many looks in a row may fail by what Redis answers. */
const MOST_FAILED_LOOKS = 10;

/** What a dispatcher is told. */
export interface DispatcherOptions {
  readonly address: RedisAddress;
  readonly seal: Seal;
  readonly redis: Redis;
  readonly store: ContentStore;
  readonly run: string;
  /** The adapter as the engine loads it. */
  readonly adapter: { readonly path: string; readonly sha256: string; readonly bytes: number };
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
  /** The last that were answered whole. */
  private readonly ended = new Map<string, Ask>();
  private readonly claim: RunClaim;
  private readonly flights: Flights;
  private readonly lanes: Lanes;
  private readonly early = new EarlyRows();
  private readonly tally = new WorkerTally();
  private readonly disputes = new Disputes();
  private readonly notes: CountedNotes;
  private told = performance.now();
  /** When a worker was heard of last, or nothing was out, or that was told. */
  private heard = performance.now();
  private failedLooks = 0;
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
    const { redis, seal, run, onNote } = options;
    this.lanes = new Lanes(redis, seal);
    this.claim = new RunClaim(redis, seal, run);
    this.flights = new Flights(redis, seal, run);
    this.notes = new CountedNotes(onNote);
    this.reader = new ResultReader(
      redis,
      seal,
      run,
      (entry) => {
        this.receive(entry);
      },
      (why) => {
        this.notes.note("answer", `an answer in the queue was ignored: ${why}`);
      },
      (error) => {
        if (!this.isClosed) onNote(redisFailure(options.address, error).message);
      },
    );
  }

  /** Takes what an earlier run left, and begins. @throws QueueError when Redis refuses. */
  async start(): Promise<void> {
    try {
      await this.claim.take();
      await this.flights.removeOrphans((queue) => this.lanes.of(queue));
      // Answers count only from workers that are known.
      this.lanes.refresh(await this.options.findWorkers());
      await this.reader.drain();
    } catch (error) {
      throw redisFailure(this.options.address, error);
    }
    await this.look();
    this.following = this.reader.follow();
    this.timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** Hands asks out. @throws QueueError, EngineError where they cannot be answered; InterruptedError when it is closed. */
  async answer(asks: readonly Ask[]): Promise<void> {
    this.assertOpen();
    const open: Ask[] = [];
    for (const ask of asks) {
      if (this.asks.has(ask.key)) throw new RangeError("the same prompts are being answered already");
      this.asks.set(ask.key, ask);
      for (const row of this.early.take(ask.key)) this.takeRow(row, row.worker, ask);
      if (!ask.isEnded) open.push(ask);
    }
    this.pool.add(open);
    this.handingOut.ask();
    await Promise.all(asks.map((ask) => ask.whenEnded()));
    await this.disputes.settled();
    if (this.failure) throw this.failure;
  }

  /**
   * Has one worker make a call.
   * @param texts what the job names by hash.
   * @returns its result. @throws as {@link answer}.
   */
  async call(job: Job, texts: readonly NamedText[]): Promise<unknown> {
    this.assertOpen();
    const lane = await this.anyLane();
    const flight = { id: jobId(), lane, cost: 0, asks: undefined, job, texts, tries: 0 };
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
    else this.options.redis.disconnect();
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
      await this.breakSilence();
      this.tell();
      this.failedLooks = 0;
    } catch (error) {
      this.lookFailed(error);
    }
    this.handingOut.ask();
  }

  private lookFailed(error: unknown): void {
    if (this.isClosed) return;
    const failure = redisFailure(this.options.address, error);
    this.notes.note("look", failure.message);
    this.failedLooks += 1;
    // A full Redis may get room again; keys that somebody else has written over stay as they are.
    if (this.failedLooks >= MOST_FAILED_LOOKS && !isOutOfMemory(error)) this.failAll(failure);
  }

  private async breakSilence(): Promise<void> {
    const silent = performance.now() - this.heard;
    if (this.flights.size === 0 || this.workers.length === 0) this.heard = performance.now();
    else if (silent > SILENT_MS) {
      this.heard = performance.now();
      this.options.onNote(
        `no answer for ${Math.round(silent / 1000)} s: ${this.flights.size} jobs are out, ${this.workers.length} workers are there`,
      );
      await this.lanes.unblock();
    }
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
    const common = { run, adapter: adapter.sha256, adapterBytes: adapter.bytes, timeoutMs };
    const job = composeJob(asks, common, { shares: !lane.isOther });
    await this.submit({ id: jobId(), lane, cost, asks, job, texts: textsOf(asks), tries: 0 });
  }

  private async submit(flight: Flight): Promise<void> {
    const { store, adapter, address } = this.options;
    try {
      await this.flights.takeOff(flight, async () => {
        await store.putFile(adapter.path, adapter.sha256);
        await store.putTexts(flight.texts);
      });
    } catch (error) {
      this.failAll(redisFailure(address, error));
      flight.reject?.(this.failure);
    }
  }

  private receive(entry: Entry): void {
    const { job, rows = [], result, done, failure } = entry;
    const worker = this.lanes.worker(entry.worker);
    const queue = this.flights.queueOf(job);
    if (queue === undefined || worker?.queue !== queue) {
      const why =
        queue === undefined ? "it is to a job that was not handed out" : "it is from a worker that was not asked";
      this.notes.note(why, `an answer in the queue was ignored: ${why}`);
      return;
    }
    this.heard = performance.now();
    const flight = this.flights.get(job);
    for (const row of rows) {
      if (flight?.dispute) this.decide(flight.dispute, row, worker);
      else this.sortRow(row, worker.id, job);
    }
    if (!flight) return;
    if (failure) this.failed(flight, worker, failure);
    else if (done) {
      this.flights.land(flight);
      flight.lane.learn(flight.cost, done.seconds);
      if (flight.dispute) this.disputeAgain(flight, flight.dispute);
      else if (flight.asks) this.again(flight.asks);
      else flight.resolve?.(result);
    }
    this.handingOut.ask();
  }

  private sortRow(row: Row, workerId: string, job: string): void {
    const ask = this.asks.get(row.ask) ?? this.ended.get(row.ask);
    if (ask) this.takeRow(row, workerId, ask);
    else if (this.flights.isInherited(job)) this.early.keep({ ...row, worker: workerId });
    else this.notes.note("ask", "an answer in the queue was ignored: nobody asked for it");
  }

  private takeRow(row: Row, workerId: string, ask: Ask): void {
    const { mark } = this.options;
    const worker = defined(this.lanes.worker(workerId), "the worker of an answer");
    const { boundary, generation } = row;
    const why = ask.refusal(boundary, generation, worker.engine.vocabulary);
    if (why !== undefined) {
      this.notes.note("row", `an answer of worker ${worker.name} was ignored: ${why}`);
      return;
    }
    // Workers of other classes may answer differently.
    const dispute = mark ? undefined : this.disputes.compare(ask, boundary, generation, workerId);
    if (dispute) {
      this.dispute(dispute, worker);
      return;
    }
    this.tally.add(workerId);
    if (!ask.take(boundary, { ...generation, ...(mark ? { worker: mark(worker) } : {}) })) return;
    this.pool.saw(generation.tokens.length);
    if (ask.isEnded) this.end(ask);
  }

  /** Remembers an ask for answers that come a second time. */
  private end(ask: Ask): void {
    this.asks.delete(ask.key);
    this.ended.set(ask.key, ask);
    const [oldest] = this.ended.keys();
    if (this.ended.size > MOST_ENDED && oldest !== undefined) this.ended.delete(oldest);
  }

  /** Has another worker show which of two answers is right. */
  private dispute(dispute: Dispute, other: Announcement): void {
    const names = { first: this.nameOf(dispute.first.worker), other: other.name };
    const lane = this.lanes.of(other.queue);
    const isDecidable = lane.workers.some(({ id }) => !dispute.parties.includes(id));
    if (!isDecidable || this.disputes.size > MOST_DISPUTES) {
      this.failAll(undecided(dispute, names));
      return;
    }
    this.options.onNote(
      `workers ${names.first} and ${names.other} answered sample ${dispute.id} under K=${dispute.boundary} differently: another worker is asked`,
    );
    const { run, adapter } = this.options;
    const asks = [dispute.ask];
    const cost = this.pool.cost(asks);
    const common = { run, adapter: adapter.sha256, adapterBytes: adapter.bytes, timeoutMs: lane.timeoutMs(cost) };
    const job = { ...composeJob(asks, common, { shares: true }), except: [...dispute.parties] };
    void this.submit({ id: jobId(), lane, cost, asks, job, texts: textsOf(asks), tries: 0, dispute });
  }

  private decide(dispute: Dispute, row: Row, worker: Announcement): void {
    const isRight = this.disputes.decide(dispute, row, worker.id);
    if (isRight === undefined) return;
    const first = this.nameOf(dispute.first.worker);
    if (isRight)
      this.options.onNote(
        `worker ${worker.name} confirms ${first} on sample ${dispute.id} under K=${dispute.boundary}`,
      );
    else this.failAll(wrongFirst(dispute, { first, third: worker.name }));
  }

  /** A job that was to decide has ended, or was lost. */
  private disputeAgain(flight: Flight, dispute: Dispute): void {
    if (!this.disputes.isOpen(dispute)) return;
    if (flight.tries >= MOST_TRIES) this.failAll(givenUp());
    else void this.submit({ ...flight, id: jobId(), tries: flight.tries + 1 });
  }

  private nameOf(worker: string): string {
    return this.lanes.worker(worker)?.name ?? shortened(worker, 40);
  }

  private failed(flight: Flight, { name }: Announcement, { kind, message }: NonNullable<Entry["failure"]>): void {
    this.flights.land(flight);
    const { store } = this.options;
    if (kind === "missing") {
      store.forget();
      this.retry(flight);
      return;
    }
    const what = kind === "refused" ? "a worker refused a job" : "a worker's engine failed";
    const error = new EngineError({ what, actual: `${name}: ${shortened(message, MESSAGE_CHARACTERS)}` });
    if (flight.reject) flight.reject(error);
    else this.failAll(error);
  }

  private retry(flight: Flight): void {
    if (flight.dispute) this.disputeAgain(flight, flight.dispute);
    else if (flight.asks) this.again(flight.asks);
    else if (flight.tries >= MOST_TRIES) flight.reject?.(givenUp());
    else void this.submit({ ...flight, id: jobId(), tries: flight.tries + 1 });
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
    for (const flight of [...lost, ...(await this.flights.landOverdue())]) this.retry(flight);
    if (this.workers.length === 0) return;
    for (const flight of await this.flights.landStranded()) {
      if (flight.asks) this.retry(flight);
      else void this.submit({ ...flight, id: jobId(), lane: await this.anyLane() });
    }
  }

  private failAll(error: BoundaryError): void {
    this.failure ??= error;
    this.pool.takeAll();
    for (const ask of this.asks.values()) ask.fail(error);
    this.asks.clear();
    this.disputes.drop();
    for (const flight of this.flights.all) flight.reject?.(error);
  }
}

/** Drawn for each time that a job is handed out: nobody can know it before, or give it to another. */
function jobId(): string {
  return `j${randomBytes(20).toString("hex")}`;
}

function textsOf(asks: readonly Ask[]): NamedText[] {
  return asks.flatMap(({ prompts }) => prompts.map(tokensText));
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
