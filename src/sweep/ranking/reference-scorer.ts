import { at, defined } from "../../assert.js";
import { maskKey, type Candidate, type Mask } from "../../adapter/mask.js";
import type { Piece } from "../../adapter/pieces.js";
import type { Engine, Likelihood } from "../../engine/engine.js";
import type { ContextShape } from "../../engine/layer-passes.js";
import { InterruptedError } from "../../errors.js";
import { shuffle } from "../../statistics/random.js";
import { continuedPrompts, weighingContext, type ContinuedPrompt } from "./continuations.js";
import type { SweepInputs } from "../inputs/inputs.js";
import type { LikelihoodFile } from "../../run/likelihood-file.js";
import { hash, type SweepPlan } from "../plan.js";
import { weighEach, weigherOf, type OnLikelihood } from "../weigh-references.js";

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
    const { engine } = this.input;
    const masks = [{ mask, name }];
    const [only] = await this.weighed(masks, (prompts, onLikelihood) =>
      weighEach({ engine, pieces }, masks, { context: this.context, prompts }, onLikelihood),
    );
    return defined(only, "the likelihoods of a mask");
  }

  /** Of each candidate, in the order of the samples; what they share is computed once. Throws as {@link logLikelihoods}. */
  async ofCandidates(candidates: readonly Candidate[], pieces: readonly Piece[]): Promise<Likelihood[][]> {
    return this.weighed(candidates, weigherOf({ ...this.input, pieces }, candidates, this.context));
  }

  private async weighed(
    masks: readonly Pick<Candidate, "mask" | "name">[],
    weigh: (prompts: readonly ContinuedPrompt[], onLikelihood: OnLikelihood) => Promise<void>,
  ): Promise<Likelihood[][]> {
    const { plan, file, signal } = this.input;
    const keys = masks.map(({ mask }) =>
      this.prompts.map(({ tokens, continuation }) => hash([plan.likelihoodKey, maskKey(mask), tokens, continuation])),
    );
    const missing = this.prompts.filter((_, place) => keys.some((own) => file.get(at(own, place)) === undefined));
    const places = new Map(this.prompts.map(({ id }, place) => [id, place]));
    const writes: Promise<void>[] = [];
    if (signal?.aborted) throw new InterruptedError({ what: "stopped" });
    if (missing.length > 0) {
      await weigh(missing, (mask, { id, logProbability, tokens }) => {
        const key = at(at(keys, mask), defined(places.get(id), "the place of a weighed reference"));
        if (file.get(key) !== undefined) return;
        writes.push(file.add([{ key, mask: at(masks, mask).name, id, logProbability, tokens }]));
      });
    }
    await Promise.all(writes);
    return keys.map((own) => own.map((key) => defined(file.get(key), "a likelihood")));
  }

  /** Mean over the samples of the negative log-likelihood of a reference's token, in nats. Throws as {@link logLikelihoods}. */
  async loss(mask: Mask, name: string, pieces: readonly Piece[]): Promise<number> {
    const likelihoods = await this.logLikelihoods(mask, name, pieces);
    return (
      likelihoods.reduce((sum, { logProbability, tokens }) => sum - logProbability / tokens, 0) / likelihoods.length
    );
  }
}
