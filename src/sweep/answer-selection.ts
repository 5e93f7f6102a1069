import type { Candidate } from "../adapter/mask.js";
import type { SweepConfig } from "./config.js";
import { evaluate, type Answers, type Evaluation } from "./evaluate.js";
import { raceEntry, raceNote } from "./race-result.js";
import type { SweepResult } from "./result.js";
import { runRace, type RaceOptions } from "./run-race.js";

/** What a sweep left unanswered, and what it says of that. */
export interface Economy {
  readonly race?: NonNullable<SweepResult["race"]>;
  readonly screen?: NonNullable<SweepResult["screen"]>;
  /** Candidates without a score on the selection. */
  readonly unscored: readonly { boundary: number; boundaries: number[]; keptModules: number; bytes: number }[];
  /** A sentence each. */
  readonly notes: readonly string[];
}

/** The selection part, answered in full or as far as the choice needs it. */
export interface AnsweredSelection {
  /** Of the candidates that answered every sample, by ascending K; the full adapter is one of them where anything was left out. */
  readonly answers: Answers[];
  readonly economy: Economy;
}

/** How the selection part is to be answered. */
export interface SelectionOptions extends Omit<RaceOptions, "seed"> {
  readonly config: Pick<SweepConfig, "race" | "screen" | "seed">;
  /** The file in which likelihoods are kept. */
  readonly likelihoods: string;
}

/**
 * Has the candidates answer the selection part; with `--race` only as long as the rule can still choose them.
 * @param tried by ascending K; with `--race` the full adapter is the last.
 * @throws what {@link evaluate} does.
 */
export async function answerSelection(
  evaluation: Evaluation,
  tried: readonly Candidate[],
  { config, settings, scoring, onSpared }: SelectionOptions,
): Promise<AnsweredSelection> {
  const samples = evaluation.plan.selection;
  if (!config.race) {
    return { answers: await evaluate(evaluation, tried, samples), economy: { unscored: [], notes: [] } };
  }
  const outcome = await runRace(evaluation, tried, samples, { settings, scoring, seed: config.seed, onSpared });
  const race = raceEntry(outcome);
  const unscored = outcome.dropped.map(({ candidate: { boundary, boundaries, keptModules, bytes } }) => {
    return { boundary, boundaries: [...boundaries], keptModules, bytes };
  });
  return { answers: [...outcome.answers], economy: { race, unscored, notes: [raceNote(race, samples.length)] } };
}
