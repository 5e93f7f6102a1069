import { at, defined } from "../assert.js";
import { maskKey, type Candidate } from "../adapter/mask.js";
import { piecesOf } from "../adapter/pieces.js";
import type { Likelihood, LikelihoodRequest } from "../engine/engine.js";
import type { ContextShape } from "../engine/layer-passes.js";
import { UsageError } from "../errors.js";
import type { JournalledAnswers, JournalRow } from "../run/journal.js";
import { doAll, mustGet, type Evaluation } from "./evaluation.js";
import { hash, type PlannedSample } from "./plan.js";
import { continuedPrompts, weighingContext, type ContinuedPrompt } from "./ranking/continuations.js";
import { sharedMasks, sharesLayers } from "./shortcuts.js";

/** References that go to the engine at once. */
const AT_ONCE = 16;

/** A candidate and the keys of its likelihoods, in the order of the samples. */
interface WeighedCandidate {
  readonly candidate: Candidate;
  readonly keys: readonly string[];
}

/**
 * How probable each candidate finds the first reference of each sample. Nothing that is in the journal is weighed again.
 * @throws UsageError for a sample whose reference has no token; InterruptedError when the signal fires; whatever the engine throws.
 */
export async function weighReferences(
  evaluation: Evaluation,
  candidates: readonly Candidate[],
  samples: readonly PlannedSample[],
): Promise<JournalledAnswers[]> {
  const { plan, engine, journal, inputs, onRow } = evaluation;
  const prompts = await continuedPrompts(engine, inputs, samples);
  const known = new Set(prompts.map(({ id }) => id));
  const lacking = samples.find(({ prompt }) => !known.has(prompt.id));
  if (lacking) {
    throw new UsageError({
      what: `nll weighs the reference of each sample, and that of ${lacking.prompt.id} has no token`,
      fix: "Take the sample out, or choose by another metric.",
    });
  }
  const part = at(samples, 0).part;
  const weighed = candidates.map((candidate): WeighedCandidate => {
    const mask = maskKey(candidate.mask);
    const keys = prompts.map(({ id, tokens, continuation }) =>
      hash(["likelihood", plan.likelihoodKey, mask, tokens, continuation, part, id]),
    );
    return { candidate, keys };
  });
  for (const { candidate, keys } of weighed) {
    for (const key of keys) {
      const row = journal.get(key);
      if (row) onRow(row, candidate, false);
    }
  }
  const weigher = new Weigher(evaluation, prompts, part);
  const groups = sharesLayers(plan, candidates) ? [weighed] : weighed.map((one) => [one]);
  const starts = Array.from({ length: Math.ceil(prompts.length / AT_ONCE) }, (_, i) => i * AT_ONCE);
  const work = groups.flatMap((group) => starts.map((start) => () => weigher.weigh(group, start)));
  await doAll(work, { concurrency: engine.wavesInFlight ?? 1, signal: evaluation.signal });
  return weighed.map(({ candidate, keys }) => ({ candidate, rows: keys.map((key) => mustGet(journal, key)) }));
}

/** Is told of a likelihood as soon as it is known. @param candidate its place. */
export type OnLikelihood = (candidate: number, likelihood: Likelihood) => void;

/**
 * Weighs continuations under some candidates, all at once where they share layers, else one after the other.
 * @returns what does it; it tells of each likelihood with the place of its candidate.
 */
export function weigherOf(
  { plan, engine, pieces }: Pick<Evaluation, "plan" | "engine" | "pieces">,
  candidates: readonly Candidate[],
  context: ContextShape,
  isShared = sharesLayers(plan, candidates),
): (prompts: readonly ContinuedPrompt[], onLikelihood?: OnLikelihood) => Promise<void> {
  return async (prompts, onLikelihood = () => undefined) => {
    if (isShared) {
      const masks = sharedMasks(plan, candidates, pieces);
      await engine.logLikelihoodsShared({ context, prompts, ...masks }, ({ boundary, likelihood }) => {
        onLikelihood(
          masks.boundaries.findIndex((one) => one.boundary === boundary),
          likelihood,
        );
      });
      return;
    }
    await weighEach({ engine, pieces }, candidates, { context, prompts }, onLikelihood);
  };
}

/** Weighs continuations under some masks, one after the other. */
export async function weighEach(
  { engine, pieces }: Pick<Evaluation, "engine" | "pieces">,
  masks: readonly Pick<Candidate, "mask">[],
  texts: Omit<LikelihoodRequest, "pieces">,
  onLikelihood: OnLikelihood,
): Promise<void> {
  for (const [place, { mask }] of masks.entries()) {
    const found = await engine.logLikelihoods({ ...texts, pieces: piecesOf(mask, pieces) });
    for (const likelihood of found) onLikelihood(place, likelihood);
  }
}

class Weigher {
  private readonly context: ContextShape;

  constructor(
    private readonly evaluation: Evaluation,
    private readonly prompts: readonly ContinuedPrompt[],
    private readonly part: PlannedSample["part"],
  ) {
    this.context = weighingContext(evaluation.plan, prompts);
  }

  /** Weighs what is missing of some prompts under some candidates: several share the layers below their boundaries. */
  async weigh(group: readonly WeighedCandidate[], start: number): Promise<void> {
    const { journal } = this.evaluation;
    const places = this.prompts.slice(start, start + AT_ONCE).map((_, i) => start + i);
    const isMissing = ({ keys }: WeighedCandidate, place: number): boolean => !journal.get(at(keys, place));
    const open = group.filter((one) => places.some((place) => isMissing(one, place)));
    const missing = places.filter((place) => open.some((one) => isMissing(one, place)));
    if (open.length === 0) return;
    const writes: Promise<void>[] = [];
    const candidates = open.map(({ candidate }) => candidate);
    const weigh = weigherOf(this.evaluation, candidates, this.context, group.length > 1);
    await weigh(
      missing.map((place) => at(this.prompts, place)),
      (candidate, likelihood) => {
        writes.push(this.take(at(open, candidate), places, likelihood));
      },
    );
    await Promise.all(writes);
  }

  private async take(
    { candidate, keys }: WeighedCandidate,
    places: readonly number[],
    found: Likelihood,
  ): Promise<void> {
    const { journal, onRow } = this.evaluation;
    const place = defined(
      places.find((one) => at(this.prompts, one).id === found.id),
      "the place of a weighed reference",
    );
    const key = at(keys, place);
    if (journal.get(key)) return;
    const { logProbability, tokens } = found;
    const row: JournalRow = {
      ...{ key, boundary: candidate.number, sampleId: found.id, part: this.part },
      ...{ output: "", tokens: [], stop: "eog", prefillMs: 0, decodeMs: 0, decodedTokens: 0, isWeighed: true },
      promptTokens: at(this.prompts, place).tokens.length + tokens,
      likelihood: { logProbability, tokens },
    };
    const written = journal.append(row);
    onRow(row, candidate, true);
    await written;
  }
}
