import { at } from "../../assert.js";
import { maskKey, type Candidate } from "../../adapter/mask.js";
import type { Piece } from "../../adapter/pieces.js";
import type { SweepResult } from "../../run/result.js";
import { UsageError } from "../../errors.js";
import { ReferenceScorer, type ReferenceScorerInput } from "../ranking/reference-scorer.js";
import { distinct } from "../candidates-to-answer.js";
import { screenOf, type Screening, type ScreenedCandidate } from "../../choice/screen-rule.js";

/** Samples whose references are weighed: more do not change who is far behind. */
const SCREEN_SAMPLES = 64;

/** What screening needs. */
export interface ScreenInput extends ReferenceScorerInput {
  readonly pieces: readonly Piece[];
}

/** Who passed, and what it cost. */
export interface ScreenOutcome extends Screening {
  readonly samples: number;
  /** Tokens of prompts and references, each through every layer, for every candidate. */
  readonly layerTokens: number;
}

/**
 * Weighs the first reference of at most 64 samples of the selection under every candidate, base and full: {@link screenOf}.
 * @throws UsageError where no reference of the selection has a token; whatever the engine throws.
 */
export async function screen(input: ScreenInput, candidates: readonly Candidate[]): Promise<ScreenOutcome> {
  const { plan, pieces } = input;
  const weigher = await ReferenceScorer.open(input, SCREEN_SAMPLES);
  if (!weigher) {
    throw new UsageError({
      what: "--screen nll has no reference to weigh",
      actual: "every reference of the selection is empty",
      expected: "references with at least one token",
      fix: "Leave --screen out.",
    });
  }
  const all = distinct([...candidates, plan.base, plan.full]);
  const likelihoods = await weigher.ofCandidates(all, pieces);
  const measured = all.map((candidate, i): ScreenedCandidate => ({
    boundary: candidate.number,
    isEnd: isSame(candidate, plan.base) || isSame(candidate, plan.full),
    probabilities: at(likelihoods, i).map(({ logProbability, tokens }) => Math.exp(logProbability / tokens)),
  }));
  return { ...screenOf(measured), samples: weigher.samples, layerTokens: all.length * weigher.layerTokens };
}

function isSame(a: Candidate, b: Candidate): boolean {
  return maskKey(a.mask) === maskKey(b.mask);
}

type ScreenEntry = NonNullable<SweepResult["screen"]>;

/** What a screening measured, for a reader. */
const METHOD =
  "probability of the first reference, teacher-forced (1 / perplexity); share of the best candidate's, paired one-sided 95 % bounds (Student's t)";

/** A screening as `result.json` holds it. */
export function screenEntry({ candidates, limit, samples, layerTokens }: ScreenOutcome): ScreenEntry {
  return { method: METHOD, samples, layerTokens, limit, candidates: candidates.map((one) => ({ ...one })) };
}

/** What a screening left out, in a sentence. */
export function screenNote({ candidates, samples, limit }: ScreenEntry, nameOf: (boundary: number) => string): string {
  const failed = candidates.filter(({ passed }) => !passed).map(({ boundary }) => nameOf(boundary));
  const share = Math.round(100 * limit);
  if (failed.length === 0) return `Screening by the references' probability (${samples} samples) left nothing out.`;
  return (
    `Screened out by the references' probability (${samples} samples), less than ${share} % of the best: ${failed.join(", ")}. ` +
    `Nothing was generated with ${failed.length === 1 ? "it" : "them"}; the same command without --screen does.`
  );
}
