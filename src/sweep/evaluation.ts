import pLimit from "p-limit";
import type { Candidate } from "../adapter/mask.js";
import type { Piece } from "../adapter/pieces.js";
import type { Engine } from "../engine/engine.js";
import { EngineCrashError, InterruptedError } from "../errors.js";
import type { Journal, JournalRow } from "../run/journal.js";
import type { SweepInputs } from "./inputs/inputs.js";
import type { SweepPlan } from "./plan.js";

/** What evaluation needs besides the work itself. */
export interface Evaluation {
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly pieces: readonly Piece[];
  readonly signal: AbortSignal | undefined;
  /** What the metrics take of each part, and the texts that references are put behind. */
  readonly inputs: Pick<SweepInputs, "samples" | "template" | "needs">;
  /** Called for each answer that is in the journal, whether generated now or in an earlier run. */
  readonly onRow: (row: JournalRow, candidate: Candidate, generatedNow: boolean) => void;
}

/**
 * Runs all tasks, at most `concurrency` at once, and starts no further one after a failure.
 * @throws the first failure, when what was under way has ended; InterruptedError where the signal has fired.
 */
export async function doAll(
  work: readonly (() => Promise<void>)[],
  { concurrency, signal }: { readonly concurrency: number; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const limit = pLimit({ concurrency, rejectOnClear: true });
  let failure: { readonly error: unknown } | undefined;
  const runs = work.map((task) =>
    limit(async () => {
      try {
        if (signal?.aborted) throw interrupted();
        await task();
      } catch (error) {
        failure ??= { error };
        // Here rather than where the failure is seen: until then the limit would have started more.
        limit.clearQueue();
        throw error;
      }
    }),
  );
  try {
    await Promise.all(runs);
  } catch (thrown) {
    await Promise.allSettled(runs);
    // What is cleared from the queue fails too, and may be seen first.
    const error = failure === undefined ? thrown : failure.error;
    const isStopped = error instanceof EngineCrashError || error instanceof InterruptedError;
    throw signal?.aborted === true && isStopped ? interrupted() : error;
  }
}

/** @throws RangeError where there is none. */
export function mustGet(journal: Journal, key: string): JournalRow {
  const row = journal.get(key);
  if (!row) throw new RangeError("an answer is missing from the journal after its wave ended");
  return row;
}

function interrupted(): InterruptedError {
  return new InterruptedError({
    what: "stopped",
    fix: "Finished answers are kept: run the same command again to go on.",
  });
}
