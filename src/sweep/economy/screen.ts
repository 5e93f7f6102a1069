import { maskKey, type Candidate } from "../../adapter/mask.js";
import type { Piece } from "../../adapter/pieces.js";
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
  const measured: ScreenedCandidate[] = [];
  for (const candidate of all) {
    const likelihoods = await weigher.logLikelihoods(candidate.mask, candidate.name, pieces);
    measured.push({
      boundary: candidate.number,
      isEnd: isSame(candidate, plan.base) || isSame(candidate, plan.full),
      probabilities: likelihoods.map(({ logProbability, tokens }) => Math.exp(logProbability / tokens)),
    });
  }
  return { ...screenOf(measured), samples: weigher.samples, layerTokens: all.length * weigher.layerTokens };
}

function isSame(a: Candidate, b: Candidate): boolean {
  return maskKey(a.mask) === maskKey(b.mask);
}
