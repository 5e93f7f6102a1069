import { at, defined } from "../../assert.js";
import type { Candidate } from "../../adapter/mask.js";
import type { PlannedSample } from "../plan.js";
import { evaluate } from "../evaluate.js";
import type { Evaluation } from "../evaluation.js";
import type { JournalledAnswers, JournalRow } from "../../run/journal.js";
import { layerTokens } from "../../run/layer-tokens.js";
import { raceBlocks } from "../../choice/race-blocks.js";
import { nextCall, startRace } from "../../choice/race.js";
import { predictionErrorOf, type Drop } from "../../choice/race-track.js";
import type { RuleSettings } from "../../choice/rules.js";
import { scoreAnswers, type AnswerScoring } from "../../choice/scores.js";
import type { RaceEntry } from "../../run/race-words.js";

/** How a race is run. */
export interface RaceOptions {
  readonly settings: RuleSettings;
  readonly scoring: AnswerScoring;
  readonly seed: number;
  /** Called with the number of answers that nobody has to give any more. */
  readonly onSpared: (answers: number) => void;
}

/** How a race ended. */
export interface RaceOutcome {
  /** Of those that answered every sample, in the order of the samples. */
  readonly answers: readonly JournalledAnswers[];
  /** By ascending K. */
  readonly dropped: readonly (Drop & { readonly candidate: Candidate })[];
  readonly blocks: readonly number[];
  readonly error: number;
  readonly cost: RaceCost;
}

/** What a race spared. */
export interface RaceCost {
  readonly answers: number;
  /** Of every candidate to every sample. */
  readonly allAnswers: number;
  readonly layerTokens: number;
  /** As `allAnswers`; answers that were not given count as long as those of the same candidate, or of all. */
  readonly allLayerTokens: number;
}

/**
 * Lets candidates answer the selection part block by block and drops those that the rule can no longer choose: {@link nextCall}.
 * @param candidates by ascending K, the full adapter last.
 * @throws what {@link evaluate} does.
 */
export async function runRace(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
  { settings, scoring, seed, onSpared }: RaceOptions,
): Promise<RaceOutcome> {
  const blocks = raceBlocks(samples.length, evaluation.plan.generation.context.sequences, seed);
  const error = predictionErrorOf(settings.rule);
  const sizes = blocks.map((places) => places.length);
  const track = startRace(candidates, { ...settings, blocks: sizes, error });
  const rows = candidates.map(() => new Map<number, JournalRow>());
  let spared = 0;
  for (let call = nextCall(track); call !== undefined; call = nextCall(track)) {
    const sparedNow = track.dropped.reduce((sum, drop) => sum + samples.length - drop.samples, 0);
    if (sparedNow > spared) onSpared(sparedNow - spared);
    spared = sparedNow;
    const places = at(blocks, call.block);
    const asked = places.map((place) => at(samples, place));
    const running = call.candidates.map((racer) => at(candidates, racer));
    const answers = await evaluate(evaluation, running, asked);
    for (const [i, racer] of call.candidates.entries()) {
      const own = at(answers, i);
      own.rows.forEach((row, j) => at(rows, racer).set(at(places, j), row));
      track.record(
        racer,
        scoreAnswers(
          own,
          asked.map(({ sample }) => sample),
          scoring,
        ).scores,
      );
    }
  }
  const left = track.dropped.reduce((sum, drop) => sum + samples.length - drop.samples, 0);
  if (left > spared) onSpared(left - spared);
  return {
    answers: candidates.flatMap((candidate, racer) => {
      if (!track.isFinished(racer)) return [];
      const own = at(rows, racer);
      return {
        candidate,
        rows: samples.map((_, place) => defined(own.get(place), "an answer of a finished candidate")),
      };
    }),
    dropped: track.dropped.flatMap((drop) => {
      const candidate = candidates.find(({ number: boundary }) => boundary === drop.boundary);
      return candidate ? { ...drop, candidate } : [];
    }),
    blocks: sizes,
    error,
    cost: costOf(evaluation.plan.layerCount, samples, rows),
  };
}

function costOf(
  layers: number,
  samples: readonly PlannedSample[],
  rows: readonly ReadonlyMap<number, JournalRow>[],
): RaceCost {
  const given = rows.map((own) => [...own.values()]);
  const all = given.flat();
  const meanTokens = (own: readonly JournalRow[]): number => {
    return own.reduce((sum, { tokens }) => sum + tokens.length, 0) / Math.max(1, own.length);
  };
  const promptTokens = samples.reduce((sum, { prompt }) => sum + prompt.tokens.length, 0);
  const whole = given.map((own) => promptTokens + samples.length * meanTokens(own.length > 0 ? own : all));
  return {
    answers: all.length,
    allAnswers: rows.length * samples.length,
    layerTokens: layerTokens(layers, all),
    allLayerTokens: Math.round(layers * whole.reduce((sum, tokens) => sum + tokens, 0)),
  };
}

/** How a race's predictions are made, for a reader. */
const METHOD =
  "stochastic curtailment: paired differences predicted for all samples from those answered (sampling without replacement), each prediction one-sided";
/** A race as `result.json` holds it. */
export function raceEntry({ dropped, blocks, error, cost }: RaceOutcome): RaceEntry {
  return {
    method: METHOD,
    error,
    blocks: [...blocks],
    ...cost,
    dropped: dropped.map(({ boundary, reason, samples, against, reach, limit }) => {
      return { boundary, reason, samples, against, reach, limit };
    }),
  };
}
