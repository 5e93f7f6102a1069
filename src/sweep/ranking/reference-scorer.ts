import { maskKey, type Mask } from "../../adapter/mask.js";
import { piecesOf, type Piece } from "../../adapter/pieces.js";
import type { Engine, Likelihood } from "../../engine/engine.js";
import type { ContextShape } from "../../engine/layer-passes.js";
import { InterruptedError } from "../../errors.js";
import { shuffle } from "../../statistics/random.js";
import { continuedPrompts, weighingContext, type ContinuedPrompt } from "./continuations.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { LikelihoodFile } from "../../run/likelihood-file.js";
import { hash, type SweepPlan } from "../plan.js";

/** What weighing references takes. */
export interface ReferenceScorerInput {
  readonly plan: SweepPlan;
  readonly engine: Engine;
  readonly inputs: Pick<SweepInputs, "samples" | "template">;
  /** Where likelihoods are kept, so that a resumed run weighs nothing twice. */
  readonly file: LikelihoodFile;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** How probable masks find the first references of some samples of the selection: one prefill for each mask and sample, teacher-forced. */
export class ReferenceScorer {
  private constructor(
    private readonly input: ReferenceScorerInput,
    private readonly prompts: readonly ContinuedPrompt[],
    private readonly context: ContextShape,
  ) {}

  /**
   * Draws the samples.
   * @param most so many of those that have a reference with a token.
   * @returns undefined where there is none.
   */
  static async open(input: ReferenceScorerInput, most: number): Promise<ReferenceScorer | undefined> {
    const { plan, engine, inputs, seed } = input;
    const referenced = plan.selection.filter(({ sample }) => sample.references.some((one) => one.trim() !== ""));
    const prompts = await continuedPrompts(engine, inputs, shuffle(seed, referenced).slice(0, most));
    if (prompts.length === 0) return undefined;
    return new ReferenceScorer(input, prompts, weighingContext(plan, prompts));
  }

  get samples(): number {
    return this.prompts.length;
  }

  /** What one mask costs: tokens of prompts and references, each through every layer. */
  get layerTokens(): number {
    const { layerCount } = this.input.plan;
    return this.prompts.reduce((sum, { tokens, continuation }) => {
      return sum + layerCount * (tokens.length + continuation.length);
    }, 0);
  }

  /**
   * In the order of the samples.
   * @param name of the mask, for readers of the file.
   * @throws InterruptedError when the signal fired; whatever the engine throws.
   */
  async logLikelihoods(mask: Mask, name: string, pieces: readonly Piece[]): Promise<Likelihood[]> {
    const { plan, engine, file, signal } = this.input;
    if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
    const keys = this.prompts.map(({ tokens, continuation }) =>
      hash([plan.likelihoodKey, maskKey(mask), tokens, continuation]),
    );
    const known = keys.map((key) => file.get(key));
    const missing = this.prompts.filter((_, i) => known[i] === undefined);
    const request = { pieces: piecesOf(mask, pieces), context: this.context, prompts: missing };
    const found = missing.length === 0 ? [] : await engine.logLikelihoods(request);
    const byId = new Map(found.map((likelihood) => [likelihood.id, likelihood]));
    const all = this.prompts.map(
      ({ id }, i) => known[i] ?? byId.get(id) ?? { id, logProbability: Number.NaN, tokens: 1 },
    );
    await file.add(
      all.flatMap(({ id, logProbability, tokens }, i) => {
        const key = keys[i];
        return known[i] === undefined && key !== undefined ? [{ key, mask: name, id, logProbability, tokens }] : [];
      }),
    );
    return all;
  }

  /** Mean over the samples of the negative log-likelihood of a reference's token, in nats. Throws as {@link logLikelihoods}. */
  async loss(mask: Mask, name: string, pieces: readonly Piece[]): Promise<number> {
    const likelihoods = await this.logLikelihoods(mask, name, pieces);
    return (
      likelihoods.reduce((sum, { logProbability, tokens }) => sum - logProbability / tokens, 0) / likelihoods.length
    );
  }
}
