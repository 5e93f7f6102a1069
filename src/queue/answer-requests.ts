import { isBatchInvariant } from "../engine/engine.js";
import type { AnswerRequest } from "./answer-request.js";

/** Seconds that a job should take: long against handing it out, short against losing it. */
const JOB_SECONDS = 20;
/** Seconds that a job may take which does not fill a batch: a full one costs less for each answer. */
const SECONDS_FOR_A_BATCH = 90;
/** Each job is at most this share of what is left for each worker: near the end jobs get smaller, so that all workers end together. */
const SHARE_OF_REST = 1 / 3;
/** Answers of this length are expected before any was seen, or fewer where fewer are allowed. */
const FIRST_ANSWER_TOKENS = 16;
/** Most asks in a job. */
const MOST_ASKS = 4096;

/** What the size of a job follows from. */
export interface JobSize {
  /** Measured, or undefined before the first job has ended. */
  readonly secondsPerCost: number | undefined;
  /** What the workers' own trial says. */
  readonly guessedSecondsPerCost: number;
  /** Workers that are there. */
  readonly workers: number;
}

/** Asks that no worker has yet, in the order in which they came. */
export class AnswerRequests {
  private asks: AnswerRequest[] = [];
  /** Where `asks` begins: what was taken is cut off now and then. */
  private start = 0;
  private tokens = 0;
  private answers = 0;

  get size(): number {
    return this.asks.length - this.start;
  }

  add(asks: readonly AnswerRequest[]): void {
    for (const ask of asks) this.asks.push(ask);
  }

  /** Puts asks back that did not come to an end: they are the next. */
  putBack(asks: readonly AnswerRequest[]): void {
    this.asks = [...asks, ...this.asks.slice(this.start)];
    this.start = 0;
  }

  /** Learns how long answers are. */
  saw(tokens: number): void {
    this.tokens += tokens;
    this.answers += 1;
  }

  cost(asks: readonly AnswerRequest[]): number {
    return asks.reduce((sum, ask) => sum + this.costOf(ask), 0);
  }

  /** Takes the asks of the next job; at least one, where there are any. */
  take(size: JobSize): AnswerRequest[] {
    const first = this.asks[this.start];
    if (!first) return [];
    const most = this.mostOf(first, size);
    const end = Math.min(this.asks.length, this.start + most);
    const taken = this.asks.slice(this.start, end);
    this.start = end;
    if (this.start > 1024 && this.start > this.asks.length / 2) {
      this.asks = this.asks.slice(this.start);
      this.start = 0;
    }
    return taken;
  }

  /** Takes all. */
  takeAll(): AnswerRequest[] {
    const all = this.asks.slice(this.start);
    this.asks = [];
    this.start = 0;
    return all;
  }

  /** How many asks like this one make a job. */
  private mostOf(ask: AnswerRequest, { secondsPerCost, guessedSecondsPerCost, workers }: JobSize): number {
    const each = Math.max(1e-9, this.costOf(ask) * (secondsPerCost ?? guessedSecondsPerCost));
    const sequences = isBatchInvariant(ask.settings) ? ask.settings.context.sequences : 1;
    const inTime = Math.max(
      Math.floor(JOB_SECONDS / each),
      Math.min(sequences, Math.floor(SECONDS_FOR_A_BATCH / each)),
    );
    const ofRest = Math.ceil((SHARE_OF_REST * this.size) / workers);
    // A batch that is not full takes nearly as long as a full one: only when there are too few for all are they spread.
    const batch = Math.min(sequences, Math.ceil(this.size / workers));
    const wanted = Math.min(inTime, Math.max(batch, ofRest), MOST_ASKS);
    return Math.max(1, wanted > sequences ? wanted - (wanted % sequences) : wanted);
  }

  private costOf(ask: AnswerRequest): number {
    const expected = Math.min(ask.settings.maxTokens, FIRST_ANSWER_TOKENS);
    return ask.cost(this.answers === 0 ? expected : this.tokens / this.answers);
  }
}
