import { defined } from "../assert.js";
import type { BoundaryError } from "../errors.js";
import type { AnswerRequest } from "./answer-request.js";
import type { CountedNotes } from "./counted-notes.js";
import { undecided, wrongFirst, type Dispute, type Disputes } from "./disputes.js";
import { UnclaimedAnswers } from "./unclaimed-answers.js";
import type { WorkerQueue } from "./worker-queue.js";
import type { WorkerQueues } from "./worker-queues.js";
import type { Row } from "./messages.js";
import type { Announcement } from "./presence.js";
import { shortened } from "./printable.js";
import { WorkerTally } from "./worker-tally.js";

/** Asks that are remembered when they are answered. */
const MOST_ENDED = 20_000;
/** Answers in dispute at once: more is no accident. */
const MOST_DISPUTES = 16;

/** What answers are judged by, and who is told of them. */
export interface IntakeParts {
  readonly lanes: WorkerQueues;
  readonly disputes: Disputes;
  readonly notes: CountedNotes;
  /** Told what a user should know, a line each. */
  readonly onNote: (line: string) => void;
  /** Where workers differ: what is written beside each answer of theirs. */
  readonly mark?: ((worker: Announcement) => string) | undefined;
  /** Told how many tokens each answer has that counts. */
  readonly onAnswer: (tokens: number) => void;
  /** Has another worker of a lane answer what two have answered differently. */
  readonly onDispute: (dispute: Dispute, lane: WorkerQueue) => void;
  /** Told what ends the run. */
  readonly onFailure: (error: BoundaryError) => void;
}

/** A job as far as it decides what becomes of its answers. */
export interface AnsweredJob {
  /** Whether an earlier coordinator of the run handed it out. */
  readonly isInherited: boolean;
  readonly dispute: Dispute | undefined;
}

/** What counts as an answer: gives answers to those who asked, keeps those that nobody has asked for yet, and has differing ones decided. */
export class AnswerIntake {
  private readonly asks = new Map<string, AnswerRequest>();
  /** The last that were answered whole. */
  private readonly ended = new Map<string, AnswerRequest>();
  private readonly early = new UnclaimedAnswers();
  private readonly tally = new WorkerTally();

  constructor(private readonly parts: IntakeParts) {}

  /** Expects answers to asks. @returns those that an earlier run has not answered whole. @throws RangeError when one is expected already. */
  expect(asks: readonly AnswerRequest[]): AnswerRequest[] {
    const open: AnswerRequest[] = [];
    for (const ask of asks) {
      if (this.asks.has(ask.key)) throw new RangeError("the same prompts are being answered already");
      this.asks.set(ask.key, ask);
      for (const row of this.early.take(ask.key)) this.takeRow(row, row.worker, ask);
      if (!ask.isEnded) open.push(ask);
    }
    return open;
  }

  /** Takes an answer to a job that was handed out, from a worker of its queue. */
  receive(row: Row, worker: Announcement, { isInherited, dispute }: AnsweredJob): void {
    if (dispute) {
      this.decide(dispute, row, worker);
      return;
    }
    const ask = this.asks.get(row.ask) ?? this.ended.get(row.ask);
    if (ask) this.takeRow(row, worker.id, ask);
    else if (isInherited) this.early.keep({ ...row, worker: worker.id });
    else this.parts.notes.note("ask", "an answer in the queue was ignored: nobody asked for it");
  }

  /** What each worker has done, a line each. */
  tallyLines(): string[] {
    return this.tally.lines(this.parts.lanes.workers);
  }

  /** Ends all that is expected. */
  fail(error: BoundaryError): void {
    for (const ask of this.asks.values()) ask.fail(error);
    this.asks.clear();
    this.parts.disputes.drop();
  }

  private takeRow(row: Row, workerId: string, ask: AnswerRequest): void {
    const { lanes, disputes, notes, mark, onAnswer } = this.parts;
    const worker = defined(lanes.worker(workerId), "the worker of an answer");
    const { boundary, generation } = row;
    const why = ask.refusal(boundary, generation, worker.engine.vocabulary);
    if (why !== undefined) {
      notes.note("row", `an answer of worker ${worker.name} was ignored: ${why}`);
      return;
    }
    // Workers of other classes may answer differently.
    const dispute = mark ? undefined : disputes.compare(ask, boundary, generation, workerId);
    if (dispute) {
      this.dispute(dispute, worker);
      return;
    }
    this.tally.add(workerId);
    if (!ask.take(boundary, { ...generation, ...(mark ? { worker: mark(worker) } : {}) })) return;
    onAnswer(generation.tokens.length);
    if (ask.isEnded) this.end(ask);
  }

  /** Remembers an ask for answers that come a second time. */
  private end(ask: AnswerRequest): void {
    this.asks.delete(ask.key);
    this.ended.set(ask.key, ask);
    const [oldest] = this.ended.keys();
    if (this.ended.size > MOST_ENDED && oldest !== undefined) this.ended.delete(oldest);
  }

  /** Has another worker show which of two answers is right. */
  private dispute(dispute: Dispute, other: Announcement): void {
    const { lanes, disputes, onNote, onDispute, onFailure } = this.parts;
    const names = { first: this.nameOf(dispute.first.worker), other: other.name };
    const lane = lanes.of(other.queue);
    const isDecidable = lane.workers.some(({ id }) => !dispute.parties.includes(id));
    if (!isDecidable || disputes.size > MOST_DISPUTES) {
      onFailure(undecided(dispute, names));
      return;
    }
    onNote(
      `workers ${names.first} and ${names.other} answered sample ${dispute.id} under K=${dispute.boundary} differently: another worker is asked`,
    );
    onDispute(dispute, lane);
  }

  private decide(dispute: Dispute, row: Row, worker: Announcement): void {
    const { disputes, onNote, onFailure } = this.parts;
    const isRight = disputes.decide(dispute, row, worker.id);
    if (isRight === undefined) return;
    const first = this.nameOf(dispute.first.worker);
    if (isRight) onNote(`worker ${worker.name} confirms ${first} on sample ${dispute.id} under K=${dispute.boundary}`);
    else onFailure(wrongFirst(dispute, { first, third: worker.name }));
  }

  private nameOf(worker: string): string {
    return this.parts.lanes.worker(worker)?.name ?? shortened(worker, 40);
  }
}
