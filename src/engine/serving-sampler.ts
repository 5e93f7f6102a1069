import type { LlamaGrammarEvaluationState, LlamaModel } from "node-llama-cpp";
import { at, defined } from "../assert.js";
import type { Sampling, TokenChoice, TokenLogprob } from "./serving.js";
import {
  nativeGrammarState,
  nativeSampler,
  type LogitsPlace,
  type NativeContext,
  type NativeSampler,
  type SamplerConfig,
} from "./serving-native.js";

/** llama_sampler_init_dist takes 32 bits. */
const SEEDS = 2 ** 32;

/** Draws the tokens of one answer. */
export interface TokenSampler {
  /** The next token (-1 where the grammar leaves none), with probabilities where the answer asked for them. */
  sample(context: NativeContext, place: LogitsPlace): Promise<{ token: number; choice: TokenChoice | undefined }>;
  dispose(): void;
}

/** What an answer's sampler is made of. */
export interface SamplerRequest {
  readonly sampling: Sampling;
  readonly grammar: LlamaGrammarEvaluationState | undefined;
  readonly logprobs: number | undefined;
}

/** Makes samplers for the answers of one sequence, one after another; the plain greedy one, which has no state, is made once. */
export class SamplerMaker {
  private readonly greedy: NativeSampler;

  constructor(private readonly model: LlamaModel) {
    this.greedy = nativeSampler(model);
    this.greedy.applyConfig({ temperature: 0 });
  }

  /** @param maxTokens length of the answer, over which penalties reach. */
  make(request: SamplerRequest, maxTokens: number): { sampler: TokenSampler; isNew: boolean } {
    const { greedy, model } = this;
    const isNew = !isPlainGreedy(request);
    const own = isNew ? nativeSampler(model) : greedy;
    if (isNew) own.applyConfig(configOf(request, maxTokens));
    const { logprobs } = request;
    const sampler: TokenSampler = {
      sample: async (context, place) => {
        const token = await context.sampleToken(place, own);
        const tells = logprobs !== undefined && token >= 0;
        return {
          token,
          choice: tells ? await choiceOf(model, { context, place, greedy }, token, logprobs) : undefined,
        };
      },
      dispose: () => {
        if (isNew) own.dispose();
      },
    };
    return { sampler, isNew };
  }

  dispose(): void {
    this.greedy.dispose();
  }
}

function isPlainGreedy({ sampling, grammar }: SamplerRequest): boolean {
  const { temperature, presencePenalty, frequencyPenalty, bias } = sampling;
  return (
    temperature === 0 && presencePenalty === 0 && frequencyPenalty === 0 && bias.length === 0 && grammar === undefined
  );
}

function configOf({ sampling, grammar }: SamplerRequest, maxTokens: number): SamplerConfig {
  const { temperature, topP, topK, minP, seed, presencePenalty, frequencyPenalty, bias } = sampling;
  return {
    temperature,
    ...(topP < 1 ? { topP } : {}),
    ...(topK > 0 ? { topK } : {}),
    ...(minP > 0 ? { minP } : {}),
    seed: seed === undefined ? Math.floor(Math.random() * SEEDS) : ((seed % SEEDS) + SEEDS) % SEEDS,
    ...(presencePenalty === 0 && frequencyPenalty === 0
      ? {}
      : {
          repeatPenalty: 1,
          repeatPenaltyTokens: new Uint32Array(),
          repeatPenaltyMaxTokens: maxTokens,
          repeatPenaltyPresencePenalty: presencePenalty,
          repeatPenaltyFrequencyPenalty: frequencyPenalty,
        }),
    ...(bias.length === 0
      ? {}
      : {
          tokenBiasKeys: Uint32Array.from(bias, ([token]) => token),
          tokenBiasValues: Float32Array.from(bias, ([, value]) => value),
        }),
    ...(grammar === undefined ? {} : { grammarEvaluationState: nativeGrammarState(grammar) }),
  };
}

/** Log-probabilities of the token and of the most probable ones, from the plain logits: a greedy sampler changes none of them. */
async function choiceOf(
  model: LlamaModel,
  { context, place, greedy }: { context: NativeContext; place: LogitsPlace; greedy: NativeSampler },
  token: number,
  count: number,
): Promise<TokenChoice> {
  // The highest logit is always asked for: the total weight is relative to it.
  const filter = [[token], false, false, false, Math.max(1, count)] as const;
  const sampled = await context.sampleToken(place, greedy, false, false, filter, true);
  const flat = defined(sampled[3], "logits of the sampled token");
  const total = defined(sampled[4], "the total weight of the logits");
  const highest = at(flat, 1);
  const told = pairs(flat).map(([id, logit]): TokenLogprob => {
    return { token: id, text: tokenText(model, id), logprob: logit - highest - Math.log(total) };
  });
  const own = defined(told.at(-1), "the logit of the sampled token");
  return { ...own, top: told.slice(0, -1).slice(0, count) };
}

function pairs(flat: readonly number[]): [number, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [at(flat, 2 * i), at(flat, 2 * i + 1)]);
}

function tokenText(model: LlamaModel, token: number): string {
  return model.detokenize([token as ReturnType<LlamaModel["tokenize"]>[number]], true);
}
