import { boundaryName, type Candidate } from "../../adapter/mask.js";
import type { SweepConfig } from "../config.js";
import { InterruptedError } from "../../errors.js";
import { evaluate } from "../evaluate.js";
import type { Evaluation } from "../evaluation.js";
import type { JournalledAnswers } from "../../run/journal.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { LikelihoodFile } from "../../run/likelihood-file.js";
import { bareEntry } from "../../run/to-result.js";
import { raceNote } from "../../run/race-words.js";
import { raceEntry } from "./run-race.js";
import type { SweepResult } from "../../run/result.js";
import { screen, screenEntry, screenNote, type ScreenOutcome } from "./screen.js";
import { runRace, type RaceOptions } from "./run-race.js";

/** What a sweep left unanswered, and what it says of that. */
export interface LeftOut {
  readonly race?: NonNullable<SweepResult["race"]>;
  readonly screen?: NonNullable<SweepResult["screen"]>;
  /** Candidates without a score on the selection. */
  readonly unscored: readonly SweepResult["candidates"][number][];
  /** A sentence each. */
  readonly notes: readonly string[];
}

/** The selection part, answered in full or as far as the choice needs it. */
export interface AnsweredSelection {
  /** Of the candidates that answered every sample, by ascending K; the full adapter is one of them where anything was left out. */
  readonly answers: JournalledAnswers[];
  readonly leftOut: LeftOut;
}

/** How the selection part is to be answered. */
export interface SelectionOptions extends Omit<RaceOptions, "seed" | "scoring"> {
  readonly config: Pick<SweepConfig, "race" | "screen" | "seed">;
  readonly inputs: SweepInputs;
  /** The file in which likelihoods are kept. */
  readonly likelihoods: LikelihoodFile;
}

/**
 * Has the candidates answer the selection part; with `--screen` only those that find the references probable enough, with `--race` only as long as
 * the rule can still choose them.
 * @param tried by ascending K; with either, the full adapter is the last.
 * @throws what {@link evaluate} and {@link screen} do; InterruptedError when the signal fires.
 */
export async function answerSelection(
  evaluation: Evaluation,
  tried: readonly Candidate[],
  options: SelectionOptions,
): Promise<AnsweredSelection> {
  const { config, settings, inputs, onSpared } = options;
  const samples = evaluation.plan.selection;
  const screened = config.screen === undefined ? undefined : screenEntry(await screenAll(evaluation, tried, options));
  const failed = new Set(screened?.candidates.flatMap(({ boundary, passed }) => (passed ? [] : [boundary])));
  const passed = tried.filter(({ number: boundary }) => !failed.has(boundary));
  onSpared((tried.length - passed.length) * samples.length);
  const nameOf = (boundary: number): string =>
    tried.find((candidate) => candidate.number === boundary)?.name ?? boundaryName(boundary);
  const notes = screened ? [screenNote(screened, nameOf)] : [];
  const screen = screened ? { screen: screened } : {};
  if (!config.race) {
    const answers = await evaluate(evaluation, passed, samples);
    return { answers, leftOut: { ...screen, unscored: bare(tried, passed), notes } };
  }
  const outcome = await runRace(evaluation, passed, samples, {
    settings,
    scoring: inputs,
    seed: config.seed,
    onSpared,
  });
  const race = raceEntry(outcome);
  const finished = outcome.answers.map(({ candidate }) => candidate);
  return {
    answers: [...outcome.answers],
    leftOut: {
      ...screen,
      race,
      unscored: bare(tried, finished),
      notes: [...notes, raceNote(race, samples.length, nameOf)],
    },
  };
}

async function screenAll(
  { plan, engine, pieces, signal }: Evaluation,
  tried: readonly Candidate[],
  { inputs, config, likelihoods }: SelectionOptions,
): Promise<ScreenOutcome> {
  if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
  return screen({ plan, engine, pieces, inputs, file: likelihoods, seed: config.seed }, tried);
}

/** Those of the candidates that are not among the finished. */
function bare(tried: readonly Candidate[], finished: readonly Candidate[]): LeftOut["unscored"] {
  const kept = new Set(finished.map(({ number: boundary }) => boundary));
  return tried.filter(({ number: boundary }) => !kept.has(boundary)).map(bareEntry);
}
