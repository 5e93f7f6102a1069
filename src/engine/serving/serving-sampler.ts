import type { LlamaModel } from "node-llama-cpp";
import { at, defined } from "../../assert.js";
import type { Sampling, TokenChoice, TokenLogprob } from "./serving.js";
import type { GrammarProgress } from "./serving-grammar.js";
import {
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
  readonly grammar: GrammarProgress | undefined;
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
    const draw = drawing(request, own, maxTokens);
    const { logprobs } = request;
    const sampler: TokenSampler = {
      sample: async (context, place) => {
        const token = await draw(context, place);
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

type Draw = (context: NativeContext, place: LogitsPlace) => Promise<number>;

/** Draws tokens with a sampler that is set as a request wants it. */
function drawing({ sampling, grammar }: SamplerRequest, own: NativeSampler, maxTokens: number): Draw {
  if (grammar) return drawingBy(grammar, sampling, own);
  own.applyConfig(configOf(sampling, maxTokens));
  return (context, place) => context.sampleToken(place, own);
}

/**
 * Draws tokens that a grammar takes: mostly the first one drawn is; else another is drawn from those that are. Penalties become biases
 * here, for llama.cpp would count the first one as well.
 */
function drawingBy(grammar: GrammarProgress, sampling: Sampling, own: NativeSampler): Draw {
  const { presencePenalty, frequencyPenalty, bias, ...rest } = sampling;
  const plain = configOf({ ...rest, presencePenalty: 0, frequencyPenalty: 0, bias: [] }, 1);
  const biases = new Map(bias);
  const seen = new Set<number>();
  const set = (refused?: Uint8Array): void => {
    own.applyConfig({ ...plain, ...biasesOf(biases, refused) });
  };
  const accept = (token: number): number => {
    grammar.advance(token);
    if (presencePenalty === 0 && frequencyPenalty === 0) return token;
    const penalty = frequencyPenalty + (seen.has(token) ? 0 : presencePenalty);
    biases.set(token, (biases.get(token) ?? 0) - penalty);
    seen.add(token);
    return token;
  };
  return async (context, place) => {
    set();
    const first = await context.sampleToken(place, own);
    if (first >= 0 && grammar.takes(first)) return accept(first);
    const refused = grammar.refused();
    if (!refused.includes(0)) return -1;
    set(refused);
    return accept(await context.sampleToken(place, own));
  };
}

function isPlainGreedy({ sampling, grammar }: SamplerRequest): boolean {
  const { temperature, presencePenalty, frequencyPenalty, bias } = sampling;
  return (
    temperature === 0 && presencePenalty === 0 && frequencyPenalty === 0 && bias.length === 0 && grammar === undefined
  );
}

function configOf(sampling: Sampling, maxTokens: number): SamplerConfig {
  const { temperature, topP, topK, minP, presencePenalty, frequencyPenalty, bias } = sampling;
  return {
    temperature,
    ...(topP < 1 ? { topP } : {}),
    ...(topK > 0 ? { topK } : {}),
    ...(minP > 0 ? { minP } : {}),
    seed: seedOf(sampling),
    ...(presencePenalty === 0 && frequencyPenalty === 0
      ? {}
      : {
          repeatPenalty: 1,
          repeatPenaltyTokens: new Uint32Array(),
          repeatPenaltyMaxTokens: maxTokens,
          repeatPenaltyPresencePenalty: presencePenalty,
          repeatPenaltyFrequencyPenalty: frequencyPenalty,
        }),
    ...biasesOf(new Map(bias)),
  };
}

/** @param refused 1 for each token that must not come. [vocabulary] */
function biasesOf(biases: ReadonlyMap<number, number>, refused: Uint8Array = new Uint8Array()): Partial<SamplerConfig> {
  const keys = [...biases.keys()].filter((token) => refused[token] !== 1);
  const values = keys.map((token) => defined(biases.get(token), "a bias"));
  refused.forEach((flag, token) => {
    if (flag === 0) return;
    keys.push(token);
    values.push(-Infinity);
  });
  return keys.length === 0 ? {} : { tokenBiasKeys: Uint32Array.from(keys), tokenBiasValues: Float32Array.from(values) };
}

function seedOf({ seed }: Sampling): number {
  return seed === undefined ? Math.floor(Math.random() * SEEDS) : ((seed % SEEDS) + SEEDS) % SEEDS;
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
