import { maskKey, type Candidate } from "../adapter/mask.js";
import { piecesOf, type Piece } from "../adapter/pieces.js";
import type { ContextShape, Engine, Likelihood } from "../engine/engine.js";
import { UsageError } from "../errors.js";
import { shuffle } from "../statistics/random.js";
import { continuedPrompts, type ContinuedPrompt } from "./continuations.js";
import type { SweepInputs } from "./inputs.js";
import type { LikelihoodFile } from "./likelihood-file.js";
import { contextSizeFor, hash, type SweepPlan } from "./plan.js";
import { distinct } from "./tried.js";
import { screenOf, type Screening, type ScreenedCandidate } from "./screen-rule.js";

/** Samples whose references are weighed: more do not change who is far behind. */
const SCREEN_SAMPLES = 64;

/** What screening needs. */
export interface ScreenInput {
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly pieces: readonly Piece[];
  readonly inputs: Pick<SweepInputs, "samples" | "template">;
  readonly file: LikelihoodFile;
  readonly seed: number;
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
  const prompts = await promptsOf(input);
  const all = distinct([...candidates, input.plan.base, input.plan.full]);
  const context = contextFor(input.plan, prompts);
  const measured: ScreenedCandidate[] = [];
  for (const candidate of all) {
    const likelihoods = await likelihoodsOf(input, candidate, prompts, context);
    measured.push({
      boundary: candidate.boundary,
      isEnd: isSame(candidate, input.plan.base) || isSame(candidate, input.plan.full),
      probabilities: likelihoods.map(({ logProbability, tokens }) => Math.exp(logProbability / tokens)),
    });
  }
  const tokens = prompts.reduce((sum, { tokens: own, continuation }) => sum + own.length + continuation.length, 0);
  return {
    ...screenOf(measured),
    samples: prompts.length,
    layerTokens: all.length * input.plan.layerCount * tokens,
  };
}

async function promptsOf({ plan, engine, inputs, seed }: ScreenInput): Promise<ContinuedPrompt[]> {
  const referenced = plan.selection.filter(({ sample }) => sample.references.some((one) => one.trim() !== ""));
  const drawn = shuffle(seed, referenced).slice(0, SCREEN_SAMPLES);
  const prompts = await continuedPrompts(engine, inputs, drawn);
  if (prompts.length > 0) return prompts;
  throw new UsageError({
    what: "--screen nll has no reference to weigh",
    actual: "every reference of the selection is empty",
    expected: "references with at least one token",
    fix: "Leave --screen out.",
  });
}

/** One sequence, long enough for the longest prompt with its reference. */
function contextFor({ generation }: SweepPlan, prompts: readonly ContinuedPrompt[]): ContextShape {
  const longest = Math.max(...prompts.map(({ tokens, continuation }) => tokens.length + continuation.length));
  return { ...generation.context, sequences: 1, contextSize: contextSizeFor(longest) };
}

async function likelihoodsOf(
  { plan, engine, pieces, file }: ScreenInput,
  candidate: Candidate,
  prompts: readonly ContinuedPrompt[],
  context: ContextShape,
): Promise<Likelihood[]> {
  const mask = maskKey(candidate.mask);
  const keys = prompts.map(({ tokens, continuation }) =>
    hash([plan.generationKey, context, mask, tokens, continuation]),
  );
  const known = keys.map((key) => file.get(key));
  const missing = prompts.filter((_, i) => known[i] === undefined);
  const found =
    missing.length === 0
      ? []
      : await engine.logLikelihoods({ pieces: piecesOf(candidate.mask, pieces), context, prompts: missing });
  const byId = new Map(found.map((likelihood) => [likelihood.id, likelihood]));
  const all = prompts.map(({ id }, i) => known[i] ?? byId.get(id) ?? { id, logProbability: Number.NaN, tokens: 1 });
  await file.add(
    all.flatMap((likelihood, i) => {
      const key = keys[i];
      return known[i] === undefined && key !== undefined ? [{ key, boundary: candidate.boundary, ...likelihood }] : [];
    }),
  );
  return all;
}

function isSame(a: Candidate, b: Candidate): boolean {
  return maskKey(a.mask) === maskKey(b.mask);
}
