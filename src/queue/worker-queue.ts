import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { PREFIX } from "./keys.js";
import { jobText, LONGEST_JOB_MS, type Job } from "./messages.js";
import type { Announcement } from "./presence.js";
import type { Seal } from "./seal.js";

/** Jobs handed out for each worker: one that it works on, one that waits at its door. */
const JOBS_FOR_EACH = 2;
/** Tries of a job that ends in an error, each by whichever worker takes it. */
const ATTEMPTS = 3;
/** Events that BullMQ keeps of a queue: nobody here reads them. */
const KEPT_EVENTS = 100;
/** Time limit of a job: so many times what it should take, and at least so long, in milliseconds; longer while nobody knows. */
const TIMEOUT_FACTOR = 10;
const LEAST_TIMEOUT_MS = 60_000;
const UNKNOWN_TIMEOUT_MS = 1_800_000;
/** Weight of the newest job in what a lane is known to take. */
const NEWEST_JOB = 0.3;

/** A queue whose workers may be asked, with what is known of them. */
export class WorkerQueue {
  /** Those that take jobs from it now. */
  workers: readonly Announcement[] = [];
  /** Jobs handed out that have not ended. */
  jobs = 0;
  /** Its workers may give other tokens than those that the run began with, and share no layers. */
  isOther = false;
  /** When it was last seen to have a worker, in milliseconds of performance.now(). */
  seen = performance.now();
  /** Measured seconds for each token through the whole model. */
  secondsPerCost: number | undefined;
  private readonly queue: Queue<string>;

  constructor(
    readonly name: string,
    redis: Redis,
    private readonly seal: Seal,
  ) {
    this.queue = new Queue<string>(name, {
      connection: redis,
      prefix: PREFIX,
      streams: { events: { maxLen: KEPT_EVENTS } },
    });
    // What fails is told by the call that failed.
    this.queue.on("error", () => undefined);
  }

  get hasRoom(): boolean {
    return this.jobs < JOBS_FOR_EACH * this.workers.length;
  }

  /** What its workers' own trials say. */
  get guessedSecondsPerCost(): number {
    const rates = this.workers.map(({ tokensPerSecond }) => tokensPerSecond).sort((a, b) => a - b);
    return 1 / Math.max(1e-3, rates[Math.floor(rates.length / 2)] ?? 1);
  }

  learn(cost: number, seconds: number): void {
    if (cost <= 0) return;
    const measured = seconds / cost;
    const known = this.secondsPerCost ?? measured;
    this.secondsPerCost = known + NEWEST_JOB * (measured - known);
  }

  /** Time after which an engine that works on a job of this cost is taken for hung, in milliseconds. */
  timeoutMs(cost: number): number {
    if (this.secondsPerCost === undefined) return UNKNOWN_TIMEOUT_MS;
    const wanted = Math.ceil(TIMEOUT_FACTOR * 1000 * cost * this.secondsPerCost);
    return Math.min(LONGEST_JOB_MS, Math.max(LEAST_TIMEOUT_MS, wanted));
  }

  /** Adds a job unless one of that id is there. Jobs that ended leave nothing behind: what they found is in the run's stream. */
  async add(id: string, job: Job): Promise<void> {
    await this.queue.add(job.kind, jobText(this.seal, this.name, id, job), {
      jobId: id,
      attempts: ATTEMPTS,
      removeOnComplete: true,
      removeOnFail: true,
      // Stacks name files of the worker's machine.
      stackTraceLimit: 0,
    });
  }

  /** Removes a job that no worker has. @returns whether it is gone. */
  async remove(id: string): Promise<boolean> {
    return (await this.queue.remove(id).catch(() => 0)) === 1;
  }

  /** Whether a job waits or is worked on: nothing here leaves jobs in any other state. */
  async holds(id: string): Promise<boolean> {
    return ["waiting", "active", "delayed"].includes(await this.queue.getJobState(id));
  }

  /** Undoes what would keep workers from taking jobs: nothing here pauses or limits a queue. */
  async unblock(): Promise<void> {
    await this.queue.resume();
    await this.queue.removeGlobalConcurrency();
    await this.queue.removeGlobalRateLimit();
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
