import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { QueueError, type BoundaryError } from "../errors.js";
import { tokensText, type AnswerRequest } from "./answer-request.js";
import { AnswerRequests } from "./answer-requests.js";
import { composeJob } from "./compose-job.js";
import { redisFailure } from "./connection.js";
import type { ContentStore, NamedText } from "./content-store.js";
import type { Dispute, Disputes } from "./disputes.js";
import type { JobInFlight, JobsInFlight } from "./jobs-in-flight.js";
import type { WorkerQueue } from "./worker-queue.js";
import type { WorkerQueues } from "./worker-queues.js";
import type { Job } from "./messages.js";
import type { RedisAddress } from "./redis-address.js";
import { Rounds } from "./rounds.js";
import { queueTimes } from "./times.js";

/** So often asks may be handed out without coming back whole. */
const MOST_TRIES = 8;
/** Jobs put into queues at once: each waits for Redis some times. */
const JOBS_AT_ONCE = 64;

/** What jobs are made of, and where they go. */
export interface SubmitterParts {
  readonly address: RedisAddress;
  readonly store: ContentStore;
  readonly run: string;
  /** The adapter as the engine loads it. */
  readonly adapter: { readonly path: string; readonly sha256: string; readonly bytes: number };
  readonly lanes: WorkerQueues;
  readonly flights: JobsInFlight;
  readonly disputes: Disputes;
  /** Told what ends the run. */
  readonly onFailure: (error: BoundaryError) => void;
}

/** Makes jobs of asks, calls and disputes, puts them into the workers' queues, and again what was lost. */
export class JobSubmitter {
  private readonly pool = new AnswerRequests();
  private readonly rounds = new Rounds(async () => {
    const submitted = this.submitSome();
    await Promise.all(submitted);
    return submitted.length > 0;
  });
  private failure: BoundaryError | undefined;

  constructor(private readonly parts: SubmitterParts) {}

  /** Has asks answered when there is room. */
  add(asks: readonly AnswerRequest[]): void {
    this.pool.add(asks);
    this.submitPending();
  }

  /** Puts into queues what waits, as far as there is room. */
  submitPending(): void {
    this.rounds.ask();
  }

  /** Learns how many tokens an answer has. */
  sawAnswer(tokens: number): void {
    this.pool.saw(tokens);
  }

  /** Has one worker make a call. @returns its result. @throws what ends the run before that, and what the worker failed of. */
  async call(job: Job, texts: readonly NamedText[]): Promise<unknown> {
    const lane = await this.anyLane();
    const flight = { id: jobId(), lane, cost: 0, asks: undefined, job, texts, tries: 0 };
    return new Promise((resolve, reject) => {
      void this.submit({ ...flight, resolve, reject });
    });
  }

  /** Has a worker of a lane answer again what two others have answered differently. */
  submitDispute(dispute: Dispute, lane: WorkerQueue): void {
    const asks = [dispute.ask];
    const { cost, job } = this.jobOf(lane, asks, true);
    const flight = { id: jobId(), lane, cost, asks, texts: textsOf(asks), tries: 0, dispute };
    void this.submit({ ...flight, job: { ...job, except: [...dispute.parties] } });
  }

  /** Hands out again what a job that has ended or was lost leaves open. */
  resubmit(flight: JobInFlight): void {
    if (flight.dispute) this.resubmitDispute(flight, flight.dispute);
    else if (flight.asks) this.putBack(flight.asks);
    else if (flight.tries >= MOST_TRIES) flight.reject?.(lostTooOften());
    else void this.submit({ ...flight, id: jobId(), tries: flight.tries + 1 });
  }

  /** A job whose worker has answered all that it was going to: for asks, what is still open is handed out again. */
  ended(flight: JobInFlight, result: unknown): void {
    if (flight.asks) this.resubmit(flight);
    else flight.resolve?.(result);
  }

  /** Hands out again what was lost, is overdue, or waits for workers that are gone. @param drainedAt as of {@link JobsInFlight.landLost}. */
  async resubmitLost(drainedAt: number): Promise<void> {
    const { flights, store, lanes } = this.parts;
    const lost = await flights.landLost(drainedAt);
    if (lost.length > 0) store.forget();
    for (const flight of [...lost, ...(await flights.landOverdue())]) this.resubmit(flight);
    if (lanes.workers.length === 0) return;
    for (const flight of await flights.landStranded()) {
      if (flight.asks) this.resubmit(flight);
      else void this.submit({ ...flight, id: jobId(), lane: await this.anyLane() });
    }
  }

  /** Hands nothing out any more; calls under way fail. */
  stop(error: BoundaryError): void {
    this.failure ??= error;
    this.pool.takeAll();
    for (const flight of this.parts.flights.all) flight.reject?.(error);
  }

  private async anyLane(): Promise<WorkerQueue> {
    for (;;) {
      const lane = this.parts.lanes.leastBusy;
      if (lane) return lane;
      await sleep(queueTimes.anyWorker);
      if (this.failure) throw this.failure;
    }
  }

  /** Hands out as many jobs as there is room for, at most so many at once. */
  private submitSome(): Promise<void>[] {
    const { lanes } = this.parts;
    const submitted: Promise<void>[] = [];
    const workers = lanes.workers.length;
    while (submitted.length < JOBS_AT_ONCE && !this.failure) {
      const lane = lanes.withRoom;
      if (!lane) break;
      const { secondsPerCost, guessedSecondsPerCost } = lane;
      const asks = this.pool.take({ secondsPerCost, guessedSecondsPerCost, workers });
      if (asks.length === 0) break;
      const { cost, job } = this.jobOf(lane, asks, !lane.isOther);
      submitted.push(this.submit({ id: jobId(), lane, cost, asks, job, texts: textsOf(asks), tries: 0 }));
    }
    return submitted;
  }

  private jobOf(
    lane: WorkerQueue,
    asks: readonly AnswerRequest[],
    shares: boolean,
  ): { readonly cost: number; readonly job: Job } {
    const { run, adapter } = this.parts;
    const cost = this.pool.cost(asks);
    const common = { run, adapter: adapter.sha256, adapterBytes: adapter.bytes, timeoutMs: lane.timeoutMs(cost) };
    return { cost, job: composeJob(asks, common, { shares }) };
  }

  private async submit(flight: JobInFlight): Promise<void> {
    const { store, adapter, address, flights, onFailure } = this.parts;
    try {
      await flights.takeOff(flight, async () => {
        await store.putFile(adapter.path, adapter.sha256);
        await store.putTexts(flight.texts);
      });
    } catch (error) {
      onFailure(redisFailure(address, error));
      flight.reject?.(this.failure);
    }
  }

  /** A job that was to decide has ended, or was lost. */
  private resubmitDispute(flight: JobInFlight, dispute: Dispute): void {
    const { disputes, onFailure } = this.parts;
    if (!disputes.isOpen(dispute)) return;
    if (flight.tries >= MOST_TRIES) onFailure(lostTooOften());
    else void this.submit({ ...flight, id: jobId(), tries: flight.tries + 1 });
  }

  private putBack(asks: readonly AnswerRequest[]): void {
    if (this.failure) return;
    const open = asks.filter((ask) => !ask.isEnded);
    for (const ask of open) {
      ask.tries += 1;
      if (ask.tries > MOST_TRIES) {
        this.parts.onFailure(lostTooOften());
        return;
      }
    }
    if (open.length > 0) this.pool.putBack(open);
  }
}

/** Drawn for each time that a job is handed out: nobody can know it before, or give it to another. */
function jobId(): string {
  return `j${randomBytes(20).toString("hex")}`;
}

function textsOf(asks: readonly AnswerRequest[]): NamedText[] {
  return asks.flatMap(({ prompts }) => prompts.map(tokensText));
}

function lostTooOften(): QueueError {
  return new QueueError({
    what: "jobs were lost again and again",
    actual: `${MOST_TRIES} times`,
    fix: "Workers die of it or Redis forgets it: look at the workers' output, and at Redis' maxmemory and persistence.",
  });
}
