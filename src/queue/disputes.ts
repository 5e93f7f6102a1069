import type { Generation } from "../engine/engine.js";
import { QueueError } from "../errors.js";
import { digest } from "../files/digest.js";
import type { AnswerRequest } from "./answer-request.js";
import { KEY_VARIABLE } from "./seal.js";

/** Answers whose content is remembered: about 50 MB. */
const MOST_ANSWERS = 200_000;

/** What was taken for an answer, and from whom. */
interface FirstAnswer {
  readonly content: string;
  readonly worker: string;
}

/** An answer that two workers gave differently. */
export interface Dispute {
  readonly ask: AnswerRequest;
  readonly boundary: number;
  readonly id: string;
  readonly first: FirstAnswer;
  /** Workers that may not decide it. */
  readonly parties: readonly string[];
}

/**
 * The first answer to everything that was asked, and what to do where a second one differs: engines of one queue give the same tokens, so that
 * one of the two is wrong, and a worker that gave neither has to show which.
 */
export class Disputes {
  private readonly first = new Map<string, FirstAnswer>();
  private readonly open = new Map<string, Dispute>();
  private waiting: (() => void)[] = [];

  /** @returns a dispute where this answer is another than the first, and there is none over it yet. */
  compare(ask: AnswerRequest, boundary: number, generation: Generation, worker: string): Dispute | undefined {
    const key = keyOf(ask, boundary, generation.id);
    const content = contentOf(generation);
    const first = this.first.get(key);
    if (first === undefined) {
      this.remember(key, { content, worker });
      return undefined;
    }
    if (first.content === content || this.open.has(key)) return undefined;
    const dispute = { ask, boundary, id: generation.id, first, parties: [...new Set([first.worker, worker])] };
    this.open.set(key, dispute);
    return dispute;
  }

  /** Takes the answer of a worker that decides. @returns whether the first answer was right; undefined where it is not about this dispute. */
  decide(
    { ask, boundary, id, first, parties }: Dispute,
    row: { readonly ask: string; readonly boundary: number; readonly generation: Generation },
    worker: string,
  ): boolean | undefined {
    const isAbout = row.ask === ask.key && row.boundary === boundary && row.generation.id === id;
    if (!isAbout || parties.includes(worker)) return undefined;
    this.open.delete(keyOf(ask, boundary, id));
    if (this.open.size === 0) this.release();
    return contentOf(row.generation) === first.content;
  }

  isOpen({ ask, boundary, id }: Dispute): boolean {
    return this.open.has(keyOf(ask, boundary, id));
  }

  get size(): number {
    return this.open.size;
  }

  /** Ends when nothing is in dispute. */
  async settled(): Promise<void> {
    while (this.open.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Gives all disputes up. */
  drop(): void {
    this.open.clear();
    this.release();
  }

  private release(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private remember(key: string, answer: FirstAnswer): void {
    this.first.set(key, answer);
    if (this.first.size <= MOST_ANSWERS) return;
    const [oldest] = this.first.keys();
    if (oldest !== undefined) this.first.delete(oldest);
  }
}

/** The error where the first answer, which is in the journal, is not the one that a third worker gave. */
export function wrongFirst({ id, boundary }: Dispute, names: { first: string; third: string }): QueueError {
  return new QueueError({
    what: `workers ${names.first} and ${names.third} answered sample ${id} under K=${boundary} differently, and ${names.first}'s answer is in the journal`,
    fix: advice(names.first),
  });
}

/** The error where two answers differ and nobody is there to decide. */
export function undecided({ id, boundary }: Dispute, names: { first: string; other: string }): QueueError {
  const isOne = names.first === names.other;
  return new QueueError({
    what: isOne
      ? `worker ${names.first} gave two different answers to sample ${id} under K=${boundary}, and there is no other worker to ask`
      : `workers ${names.first} and ${names.other} answered sample ${id} under K=${boundary} differently, and there is no third worker to ask`,
    fix: advice(names.first),
  });
}

function advice(name: string): string {
  return `Answers of ${name} in this run cannot be trusted: check that worker, then run the same command with --fresh. Without ${KEY_VARIABLE}, anyone who can write to Redis could have sent them.`;
}

function keyOf(ask: AnswerRequest, boundary: number, id: string): string {
  return `${ask.key} ${boundary} ${id}`;
}

function contentOf({ tokens, text, stopReason }: Generation): string {
  return digest(JSON.stringify([tokens, text, stopReason])).slice(0, 32);
}
