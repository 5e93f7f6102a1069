import pLimit from "p-limit";
import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { Engine, Generation } from "../engine/engine.js";
import { EngineCrashError, InterruptedError } from "../errors.js";
import type { Journal, JournalRow } from "./journal.js";
import { cutWaves, type SweepPlan, type PlannedSample, type Wave } from "./plan.js";
import type { Candidate } from "../adapter/mask.js";

/** Waves handed to the engine at once: the next waits at its door while this process writes down the one before. */
const WAVES_IN_FLIGHT = 2;

/** What evaluation needs besides the work itself. */
export interface Evaluation {
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly pieces: readonly Piece[];
  readonly signal: AbortSignal | undefined;
  /** Called for each answer that is in the journal, whether generated now or in an earlier run. */
  readonly onRow: (row: JournalRow, candidate: Candidate, generatedNow: boolean) => void;
}

/** The answers of one candidate, in the order of the samples. */
export interface Answers {
  readonly candidate: Candidate;
  readonly rows: readonly JournalRow[];
}

/**
 * Has every candidate answer the samples. A wave whose answers are all in the journal is not generated again; one of which some are
 * missing is generated whole, because an answer's batches are part of what it is.
 * @throws InterruptedError when the signal fires; whatever the engine throws.
 */
export async function evaluate(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
): Promise<Answers[]> {
  const limit = pLimit({ concurrency: WAVES_IN_FLIGHT, rejectOnClear: true });
  const waves = candidates.map((candidate) => cutWaves(evaluation.plan, candidate, samples));
  const runs = waves.flat().map((wave) => limit(() => answerWave(evaluation, wave)));
  try {
    await Promise.all(runs);
  } catch (error) {
    limit.clearQueue();
    await Promise.allSettled(runs);
    throw isInterrupted(error, evaluation.signal) ? interrupted() : error;
  }
  return candidates.map((candidate, i) => {
    const keys = (waves[i] ?? []).flatMap((wave) => wave.keys);
    return { candidate, rows: keys.map((key) => mustGet(evaluation.journal, key)) };
  });
}

async function answerWave({ plan, engine, journal, pieces, signal, onRow }: Evaluation, wave: Wave): Promise<void> {
  if (signal?.aborted) throw interrupted();
  const known = wave.keys.map((key) => journal.get(key));
  if (known.every((row) => row !== undefined)) {
    for (const row of known) onRow(row, wave.candidate, false);
    return;
  }
  const writes: Promise<void>[] = [];
  const places = new Map(wave.samples.map(({ prompt }, place) => [prompt.id, place]));
  const onGeneration = (generation: Generation): void => {
    const place = places.get(generation.id) ?? -1;
    const key = wave.keys[place];
    const planned = wave.samples[place];
    if (key === undefined || planned === undefined) return;
    const row = asRow(key, wave.candidate, planned, generation);
    const isNew = journal.get(key) === undefined;
    writes.push(journal.append(row));
    onRow(journal.get(key) ?? row, wave.candidate, isNew);
  };
  const { context, maxTokens, stop } = plan.generation;
  await engine.generate(
    {
      pieces: piecesOf(wave.candidate.mask, pieces),
      context,
      prompts: wave.samples.map(({ prompt }) => prompt),
      maxTokens,
      stop,
    },
    onGeneration,
  );
  await Promise.all(writes);
}

function asRow(key: string, candidate: Candidate, { part, prompt }: PlannedSample, generation: Generation): JournalRow {
  return {
    key,
    boundary: candidate.boundary,
    sampleId: prompt.id,
    part,
    output: generation.text,
    tokens: [...generation.tokens],
    stop: generation.stopReason,
    promptTokens: generation.promptTokens,
    prefillMs: generation.prefillMs,
    decodeMs: generation.decodeMs,
    decodedTokens: generation.decodedTokens,
  };
}

function mustGet(journal: Journal, key: string): JournalRow {
  const row = journal.get(key);
  if (!row) throw new RangeError("an answer is missing from the journal after its wave ended");
  return row;
}

function isInterrupted(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && (error instanceof EngineCrashError || error instanceof InterruptedError);
}

function interrupted(): InterruptedError {
  return new InterruptedError({
    what: "stopped",
    fix: "Finished answers are kept: run the same command again to go on.",
  });
}
