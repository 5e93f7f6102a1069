import type { Redis } from "ioredis";
import { EngineError, InterruptedError, QueueError, type BoundaryError } from "../errors.js";
import { AnswerIntake, type IntakeParts } from "./answer-intake.js";
import type { AnswerRequest } from "./answer-request.js";
import { isOutOfMemory, redisFailure } from "./connection.js";
import type { NamedText } from "./content-store.js";
import { CountedNotes } from "./counted-notes.js";
import { Disputes } from "./disputes.js";
import { keys } from "./keys.js";
import { JobsInFlight, type JobInFlight } from "./jobs-in-flight.js";
import { JobSubmitter, type SubmitterParts } from "./job-submitter.js";
import { WorkerQueues } from "./worker-queues.js";
import { MESSAGE_CHARACTERS, type Entry, type Job } from "./messages.js";
import type { Announcement } from "./presence.js";
import { shortened } from "./printable.js";
import { RunLease } from "./run-lease.js";
import { ResultReader } from "./result-stream.js";
import type { Seal } from "./seal.js";
import type { ChosenWorker } from "./worker-choice.js";
import { withinTime } from "./within-time.js";
import { queueTimes } from "./times.js";

/** Most time for tidying up at the end, in milliseconds. */
const CLOSE_MS = 10_000;
/** So many looks in a row may fail by what Redis answers. */
const MOST_FAILED_LOOKS = 10;

/** What a dispatcher is told. */
export interface DispatcherOptions
  extends Pick<SubmitterParts, "address" | "store" | "run" | "adapter">, Pick<IntakeParts, "onNote" | "mark"> {
  readonly seal: Seal;
  readonly redis: Redis;
  /** The workers that may be asked. */
  readonly findWorkers: () => Promise<readonly ChosenWorker[]>;
}

/** Hands asks and calls out as jobs, takes the results, and hands out again what was lost. */
export class Dispatcher {
  private readonly lease: RunLease;
  private readonly flights: JobsInFlight;
  private readonly lanes: WorkerQueues;
  private readonly disputes = new Disputes();
  private readonly submitter: JobSubmitter;
  private readonly answers: AnswerIntake;
  private readonly notes: CountedNotes;
  private told = performance.now();
  /** When a worker was heard of last, or nothing was out, or that was told. */
  private heard = performance.now();
  private failedLooks = 0;
  private readonly reader: ResultReader;
  private following: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private failure: BoundaryError | undefined;

  constructor(private readonly options: DispatcherOptions) {
    const { redis, seal, run, onNote } = options;
    this.lanes = new WorkerQueues(redis, seal);
    this.lease = new RunLease(redis, seal, run);
    this.flights = new JobsInFlight(redis, seal, run);
    this.notes = new CountedNotes(onNote);
    const onFailure = (error: BoundaryError): void => {
      this.failAll(error);
    };
    const { lanes, flights, disputes, notes } = this;
    const { address, store, adapter, mark } = options;
    this.submitter = new JobSubmitter({ address, store, run, adapter, lanes, flights, disputes, onFailure });
    this.answers = new AnswerIntake({
      ...{ lanes, disputes, notes, onNote, mark, onFailure },
      onAnswer: (tokens) => {
        this.submitter.sawAnswer(tokens);
      },
      onDispute: (dispute, lane) => {
        this.submitter.submitDispute(dispute, lane);
      },
    });
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
      await this.lease.take();
      await this.flights.removeOrphans((queue) => this.lanes.of(queue));
      // Answers count only from workers that are known.
      this.lanes.refresh(await this.options.findWorkers());
      await this.reader.drain();
    } catch (error) {
      throw redisFailure(this.options.address, error);
    }
    await this.look();
    this.following = this.reader.follow();
    this.timer = setInterval(() => void this.look(), queueTimes.look);
  }

  /** Hands asks out. @throws QueueError, EngineError where they cannot be answered; InterruptedError when it is closed. */
  async answer(asks: readonly AnswerRequest[]): Promise<void> {
    this.assertOpen();
    this.submitter.add(this.answers.expect(asks));
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
    return this.submitter.call(job, texts);
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
    if (!(await this.lease.release())) return;
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
      if (!(await this.lease.keep())) this.failAll(takenUp());
      const workers = await this.options.findWorkers();
      if (workers.length === 0 && this.workers.length > 0) {
        this.options.onNote("no worker is there any more; waiting for one");
      }
      this.lanes.refresh(workers);
      await this.submitter.resubmitLost(this.reader.drainedAt);
      await this.breakSilence();
      this.tell();
      this.failedLooks = 0;
    } catch (error) {
      this.lookFailed(error);
    }
    this.submitter.submitPending();
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
    else if (silent > queueTimes.silent) {
      this.heard = performance.now();
      this.options.onNote(
        `no answer for ${Math.round(silent / 1000)} s: ${this.flights.size} jobs are out, ${this.workers.length} workers are there`,
      );
      await this.lanes.unblock();
    }
  }

  private tell(): void {
    if (performance.now() - this.told < queueTimes.tell) return;
    this.told = performance.now();
    for (const line of this.answers.tallyLines()) this.options.onNote(line);
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
    const answered = { isInherited: this.flights.isInherited(job), dispute: flight?.dispute };
    for (const row of rows) this.answers.receive(row, worker, answered);
    if (!flight) return;
    if (failure) this.failed(flight, worker, failure);
    else if (done) {
      this.flights.land(flight);
      flight.lane.learn(flight.cost, done.seconds);
      this.submitter.ended(flight, result);
    }
    this.submitter.submitPending();
  }

  private failed(flight: JobInFlight, { name }: Announcement, { kind, message }: NonNullable<Entry["failure"]>): void {
    this.flights.land(flight);
    const { store } = this.options;
    if (kind === "missing") {
      store.forget();
      this.submitter.resubmit(flight);
      return;
    }
    const what = kind === "refused" ? "a worker refused a job" : "a worker's engine failed";
    const error = new EngineError({ what, actual: `${name}: ${shortened(message, MESSAGE_CHARACTERS)}` });
    if (flight.reject) flight.reject(error);
    else this.failAll(error);
  }

  private failAll(error: BoundaryError): void {
    this.failure ??= error;
    this.answers.fail(error);
    this.submitter.stop(error);
  }
}

function takenUp(): QueueError {
  return new QueueError({
    what: "another coordinator has taken up this run",
    fix: "The same sweep, with the same --out, was started on another machine: let it go on there, or stop it and run the same command again.",
  });
}
