import pLimit from "p-limit";
import { questionKey, type JudgeCache } from "./cache.js";
import { JudgeError, questionFailures, type JudgeModel, type JudgeReply } from "./judge-model.js";
import { interrupted } from "./retry.js";

/** How judges are asked, whatever the question. */
export interface AskOptions {
  /** Answers kept from earlier runs; those of this one are added. {@link JudgeCache.inMemory} forgets them. */
  readonly cache: JudgeCache;
  /** Questions put to one judge at once; 4 by default. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Called for each question that is done with, whatever came of it. */
  readonly onProgress?: (progress: JudgeProgress) => void;
}

/** How far one judge is. */
export interface JudgeProgress {
  readonly judge: string;
  readonly done: number;
  readonly total: number;
}

/** What came of one question. `isReused`: the answer was in the cache, or is that to an equal question. */
export type Outcome =
  | { readonly kind: "reply"; readonly reply: JudgeReply; readonly isReused: boolean }
  | { readonly kind: "failed"; readonly error: JudgeError }
  | { readonly kind: "not-asked" };

/** What came of all questions to one judge. */
export interface Asked {
  readonly judge: JudgeModel;
  /** In the order of the questions. */
  readonly outcomes: readonly Outcome[];
  /** Number of questions that were put to the judge in this run; retries count as one. */
  readonly asked: number;
  /** Why the judge was not asked to the end. */
  readonly gaveUp: JudgeError | undefined;
}

/**
 * Puts the questions to each judge, all judges at the same time. Equal questions are put once, answers in the cache not at all. A judge
 * that fails {@link FAILURES_IN_A_ROW} times in a row, or in a way that cannot pass, is given up; what it answered is kept.
 * @throws InterruptedError when the signal fires, FileError when the cache cannot be written.
 */
export async function askAll(
  judges: readonly JudgeModel[],
  questions: readonly string[],
  options: AskOptions,
): Promise<Asked[]> {
  const runs = await Promise.allSettled(
    judges.map((judge) => new AskingRun(judge, options, questions.length).all(questions)),
  );
  return runs.map((run) => {
    if (run.status === "rejected") throw run.reason;
    return run.value;
  });
}

/** Failures in a row after which a judge is taken for down and not asked any further. */
const FAILURES_IN_A_ROW = 3;

class AskingRun {
  private asked = 0;
  private gaveUp: JudgeError | undefined;
  private done = 0;
  private failuresInARow = 0;
  private readonly limit;
  private readonly underWay = new Map<string, Promise<Outcome>>();

  constructor(
    private readonly judge: JudgeModel,
    private readonly options: AskOptions,
    private readonly total: number,
  ) {
    this.limit = pLimit({ concurrency: options.concurrency ?? 4, rejectOnClear: true });
  }

  async all(questions: readonly string[]): Promise<Asked> {
    const runs = questions.map((question) => this.one(question));
    try {
      const outcomes = await Promise.all(runs);
      return { judge: this.judge, outcomes, asked: this.asked, gaveUp: this.gaveUp };
    } catch (error) {
      this.limit.clearQueue();
      await Promise.allSettled(runs);
      throw error;
    }
  }

  private async one(question: string): Promise<Outcome> {
    const outcome = await this.outcomeOf(questionKey(this.judge, question), question);
    this.done += 1;
    this.options.onProgress?.({ judge: this.judge.name, done: this.done, total: this.total });
    return outcome;
  }

  /** Not async up to the start: of two equal questions, the second must find the first under way. */
  private outcomeOf(key: string, question: string): Promise<Outcome> {
    const reply = this.options.cache.get(key);
    if (reply !== undefined) return Promise.resolve({ kind: "reply", reply, isReused: true });
    const twin = this.underWay.get(key);
    if (twin === undefined) return this.start(key, question);
    return twin.then((outcome) => (outcome.kind === "reply" ? { ...outcome, isReused: true } : outcome));
  }

  private start(key: string, question: string): Promise<Outcome> {
    const outcome = this.limit(() => this.put(key, question));
    this.underWay.set(key, outcome);
    return outcome;
  }

  private async put(key: string, question: string): Promise<Outcome> {
    const { cache, signal } = this.options;
    if (signal?.aborted) throw interrupted();
    if (this.gaveUp !== undefined) return { kind: "not-asked" };
    this.asked += 1;
    try {
      const reply = await this.judge.ask(question, signal);
      this.failuresInARow = 0;
      await cache.add(key, this.judge.name, reply);
      return { kind: "reply", reply, isReused: false };
    } catch (error) {
      if (!(error instanceof JudgeError)) throw error;
      this.failed(error);
      return { kind: "failed", error };
    }
  }

  private failed(error: JudgeError): void {
    if (questionFailures.has(error.kind)) return;
    this.failuresInARow += 1;
    if (error.isFinal || this.failuresInARow >= FAILURES_IN_A_ROW) this.gaveUp ??= error;
  }
}
