import type { Evaluation } from "./evaluation.js";
import type { JournalRow } from "../run/journal.js";
import { answerText } from "../tasks/answer-text.js";
import type { SweepInputs } from "./inputs/inputs.js";
import type { SweepPlan } from "./plan.js";

/** How a caller follows a sweep. */
export interface SweepHooks {
  /** Once, before the first answer. */
  readonly onPlan?: (plan: SweepPlan, inputs: SweepInputs) => void;
  /** While the layers are ranked: how many passes are done. */
  readonly onRanking?: (done: number, total: number) => void;
  /** For every answer. */
  readonly onProgress?: (progress: SweepProgress) => void;
  /** What the queue of a sweep with `redis` has to say, a line each. */
  readonly onNote?: (line: string) => void;
  /** Stops the sweep; finished answers stay in the journal. */
  readonly signal?: AbortSignal;
}

/** Where a sweep is. */
export interface SweepProgress {
  readonly part: "selection" | "holdout";
  readonly boundary: number;
  /** What the candidate is called: `K=12`. */
  readonly name: string;
  readonly done: number;
  /** Answers in this sweep; the holdout's are counted from the start. It falls as a race drops candidates. */
  readonly total: number;
  readonly row: JournalRow;
  /** False for an answer that an earlier run left in the journal. */
  readonly generatedNow: boolean;
  /** The primary metric of this candidate on this part so far, 0-100. */
  readonly runningScore: number;
}

/** Counts the answers of a sweep and tells its caller of each. */
export class AnswerCounter {
  generated = 0;
  reused = 0;
  private readonly references: ReadonlyMap<string, readonly string[]>;
  private readonly running = new Map<string, { sums: readonly number[]; count: number }>();

  /** @param total answers that are to be given, with those given already. */
  constructor(
    { selection, holdout }: Pick<SweepPlan, "selection" | "holdout">,
    private readonly inputs: Pick<SweepInputs, "primary" | "reading">,
    private readonly onProgress: SweepHooks["onProgress"],
    private total: number,
  ) {
    this.references = new Map(
      [...selection, ...holdout].map(({ part, sample }) => [`${part}\0${sample.id}`, sample.references]),
    );
  }

  /** Answers that nobody has to give any more. */
  spare(answers: number): void {
    this.total -= answers;
  }

  readonly onRow: Evaluation["onRow"] = (row, candidate, generatedNow) => {
    this[generatedNow ? "generated" : "reused"] += 1;
    if (!this.onProgress) return;
    const { primary, reading } = this.inputs;
    const key = `${row.part}\0${candidate.number}`;
    const tally = this.running.get(key) ?? { sums: [], count: 0 };
    const expected = this.references.get(`${row.part}\0${row.sampleId}`) ?? [""];
    const { likelihood } = row;
    const weighed = likelihood && primary.ofLikelihood?.(likelihood);
    // Of an answer and a weighed reference, one tells nothing of the metric.
    if (weighed === undefined && (row.isWeighed || primary.ofLikelihood)) return;
    const statistics = weighed ?? primary.statistics(answerText(row.output, reading), expected);
    tally.sums = statistics.map((value, i) => value + (tally.sums[i] ?? 0));
    tally.count += 1;
    this.running.set(key, tally);
    this.onProgress({
      part: row.part,
      boundary: candidate.number,
      name: candidate.name,
      done: this.generated + this.reused,
      total: this.total,
      row,
      generatedNow,
      runningScore: primary.corpusValue(tally.sums, tally.count),
    });
  };
}
