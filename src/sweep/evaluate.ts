import { at } from "../assert.js";
import type { Candidate } from "../adapter/mask.js";
import { piecesOf } from "../adapter/pieces.js";
import { isBatchInvariant, type Generation } from "../engine/engine.js";
import { withLikelihood, type JournalledAnswers, type JournalRow } from "../run/journal.js";
import { doAll, mustGet, type Evaluation } from "./evaluation.js";
import { cutWaves, type PlannedSample, type Wave } from "./plan.js";
import { sharedMasks, sharesLayers } from "./shortcuts.js";
import { weighReferences } from "./weigh-references.js";

/** Waves handed to an engine at once that does not say otherwise: the next waits at its door while this process writes down the one before. */
const WAVES_IN_FLIGHT = 2;

/**
 * Has every candidate do on the samples what the metrics take: answer them, weigh their references, or both. Nothing that is in the journal is
 * done again.
 * @param samples of one part.
 * @throws UsageError for a sample whose reference has no token, where references are weighed; as {@link evaluateAnswers}.
 */
export async function evaluate(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
): Promise<JournalledAnswers[]> {
  const part = samples[0]?.part ?? "selection";
  const needs = evaluation.inputs.needs[part];
  if (!needs.likelihoods) return evaluateAnswers(evaluation, candidates, samples);
  const weighed = await weighReferences(evaluation, candidates, samples);
  if (!needs.answers) return weighed;
  const answered = await evaluateAnswers(evaluation, candidates, samples);
  return answered.map(({ candidate, rows }, i) => {
    return { candidate, rows: rows.map((row, place) => withLikelihood(at(at(weighed, i).rows, place), row)) };
  });
}

/**
 * Has every candidate answer the samples. An answer that is in the journal is not generated again; where an answer depends on those beside
 * it, a wave of which some are missing is generated whole.
 * @throws InterruptedError when the signal fires; whatever the engine throws.
 */
async function evaluateAnswers(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
): Promise<JournalledAnswers[]> {
  const { wavesInFlight } = evaluation.engine;
  const waves = candidates.map((candidate) => cutWaves(evaluation.plan, candidate, samples));
  const work = sharesLayers(evaluation.plan, candidates)
    ? at(waves, 0).map((_, place) => {
        const together = waves.map((own) => at(own, place));
        return () => answerTogether(evaluation, together);
      })
    : inOrder(waves, wavesInFlight === undefined ? "by candidate" : "by samples").map(
        ([wave, neighbour]) =>
          () =>
            answerWave(evaluation, wave, neighbour),
      );
  await doAll(work, { concurrency: wavesInFlight ?? WAVES_IN_FLIGHT, signal: evaluation.signal });
  return candidates.map((candidate, i) => {
    const keys = at(waves, i).flatMap((wave) => wave.keys);
    return { candidate, rows: keys.map((key) => mustGet(evaluation.journal, key)) };
  });
}

/** The waves of all candidates, each with the same samples' under the candidate before. */
function inOrder(
  waves: readonly (readonly Wave[])[],
  order: "by candidate" | "by samples",
): (readonly [Wave, Wave | undefined])[] {
  const all = waves.flatMap((own, i) =>
    own.map((wave, place) => ({ place, pair: [wave, waves[i - 1]?.[place]] as const })),
  );
  return (order === "by candidate" ? all : all.sort((a, b) => a.place - b.place)).map(({ pair }) => pair);
}

/** @param neighbour the same samples under the candidate before this one: what it says is likely to be said again. */
async function answerWave(evaluation: Evaluation, wave: Wave, neighbour: Wave | undefined): Promise<void> {
  const { plan, engine, journal, pieces } = evaluation;
  const missing = missingOf(evaluation, wave);
  if (missing.length === 0) return;
  const take = rowTaker(evaluation, [wave]);
  const prompts = missing.map(({ prompt }) => {
    const place = wave.samples.findIndex((one) => one.prompt.id === prompt.id);
    const draft = isBatchInvariant(plan.generation) ? journal.get(neighbour?.keys[place] ?? "")?.tokens : undefined;
    return draft ? { ...prompt, drafts: [draft] } : prompt;
  });
  await engine.generate(
    { ...plan.generation, pieces: piecesOf(wave.candidate.mask, pieces), prompts },
    (generation) => {
      take.row(0, generation);
    },
  );
  await take.written();
}

/** Waves of the same samples, one for each of several boundaries. */
async function answerTogether(evaluation: Evaluation, waves: readonly Wave[]): Promise<void> {
  const { plan, engine, pieces } = evaluation;
  const lacking = waves.map((wave) => ({ wave, missing: missingOf(evaluation, wave) }));
  const some = lacking.filter(({ missing }) => missing.length > 0);
  if (some.length === 0) return;
  // Where company counts, that of the other boundaries does too: what was tried first decides how long a batch is.
  const open = isBatchInvariant(plan.generation) ? some : waves.map((wave) => ({ wave, missing: wave.samples }));
  const ids = new Set(open.flatMap(({ missing }) => missing.map(({ prompt }) => prompt.id)));
  const prompts = at(open, 0).wave.samples.flatMap(({ prompt }) => (ids.has(prompt.id) ? [prompt] : []));
  const masks = sharedMasks(
    plan,
    open.map(({ wave }) => wave.candidate),
    pieces,
  );
  const take = rowTaker(
    evaluation,
    open.map(({ wave }) => wave),
  );
  await engine.generateShared({ ...plan.generation, ...masks, prompts }, ({ boundary, generation }) => {
    take.row(
      masks.boundaries.findIndex((one) => one.boundary === boundary),
      generation,
    );
  });
  await take.written();
}

/** The samples that must be answered, be it again for the company of others; of answers that are in the journal the follower is told. */
function missingOf({ plan, journal, onRow }: Evaluation, wave: Wave): readonly PlannedSample[] {
  const known = wave.keys.map((key) => journal.get(key));
  for (const row of known) if (row) onRow(row, wave.candidate, false);
  const missing = wave.samples.filter((_, place) => known[place] === undefined);
  return missing.length === 0 || isBatchInvariant(plan.generation) ? missing : wave.samples;
}

/** Writes answers down and tells of them as they come. */
function rowTaker(
  { journal, onRow }: Evaluation,
  waves: readonly Wave[],
): { row: (wave: number, generation: Generation) => void; written: () => Promise<unknown> } {
  const writes: Promise<void>[] = [];
  const places = waves.map(({ samples }) => new Map(samples.map(({ prompt }, place) => [prompt.id, place])));
  return {
    row: (at, generation) => {
      const wave = waves[at];
      const place = places[at]?.get(generation.id) ?? -1;
      const key = wave?.keys[place];
      const planned = wave?.samples[place];
      if (!wave || key === undefined || planned === undefined) return;
      if (journal.get(key)) return;
      const row = asRow(key, wave.candidate, planned, generation);
      writes.push(journal.append(row));
      onRow(row, wave.candidate, true);
    },
    written: () => Promise.all(writes),
  };
}

function asRow(key: string, candidate: Candidate, { part, prompt }: PlannedSample, generation: Generation): JournalRow {
  return {
    key,
    boundary: candidate.number,
    sampleId: prompt.id,
    part,
    output: generation.text,
    tokens: [...generation.tokens],
    stop: generation.stopReason,
    promptTokens: generation.promptTokens,
    prefillMs: generation.prefillMs,
    decodeMs: generation.decodeMs,
    decodedTokens: generation.decodedTokens,
    ...(generation.worker === undefined ? {} : { worker: generation.worker }),
  };
}
