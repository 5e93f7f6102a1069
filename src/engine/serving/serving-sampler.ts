import { at } from "../../assert.js";
import type { SamplerSettings } from "../direct/candidate-sampler.js";
import { mostProbable } from "../direct/direct-decoder.js";
import { logProbabilities } from "../likelihood.js";
import type { Sampling, TokenChoice, TokenLogprob } from "./serving.js";
import type { GrammarProgress } from "./serving-grammar.js";

/** llama_sampler_init_dist takes 32 bits. */
const SEEDS = 2 ** 32;

/** Draws the tokens of one answer. */
export interface TokenSampler {
  /** The next token (-1 where the grammar leaves none), with probabilities where the answer asked for them. */
  sample(logits: Float32Array): { token: number; choice: TokenChoice | undefined };
  dispose(): void;
}

/** What an answer's sampler is made of. */
export interface SamplerRequest {
  readonly sampling: Sampling;
  readonly grammar: GrammarProgress | undefined;
  readonly logprobs: number | undefined;
}

/** What draws tokens by their logits; -1 where none is left. */
export interface Drawing {
  draw(logits: Float32Array): number;
  close(): void;
}

/** What a sampler needs of the engine. */
export interface SamplerParts {
  readonly drawing: (settings: SamplerSettings) => Drawing;
  readonly textOf: (token: number) => string;
}

const GREEDY: Drawing = {
  draw: (logits) => {
    const token = mostProbable(logits);
    return at(logits, token) === Number.NEGATIVE_INFINITY ? -1 : token;
  },
  close: () => undefined,
};

/** A sampler for one answer. */
export function tokenSampler({ sampling, grammar, logprobs }: SamplerRequest, parts: SamplerParts): TokenSampler {
  const drawing = sampling.temperature > 0 ? parts.drawing(settingsOf(sampling)) : GREEDY;
  const changes = new LogitChanges(sampling);
  const drawn = (logits: Float32Array): number => {
    const changed = changes.applied(logits);
    const token = drawing.draw(changed);
    if (!grammar || token < 0 || grammar.takes(token)) return token;
    // Mostly the first one drawn is taken; only else it is found out which are.
    const refused = grammar.refused();
    return drawing.draw(changed.map((logit, one) => (refused[one] === 1 ? Number.NEGATIVE_INFINITY : logit)));
  };
  return {
    sample: (logits) => {
      const token = drawn(logits);
      if (token < 0) return { token, choice: undefined };
      grammar?.advance(token);
      changes.seen(token);
      return { token, choice: logprobs === undefined ? undefined : choiceOf(logits, token, logprobs, parts.textOf) };
    },
    dispose: () => {
      drawing.close();
    },
  };
}

/** What is added to logits before a token is drawn: biases, and penalties for what the answer has already. */
class LogitChanges {
  private readonly added: Map<number, number>;
  private readonly penalised = new Set<number>();

  constructor(private readonly sampling: Sampling) {
    this.added = new Map(sampling.bias);
  }

  /** The logits themselves where nothing changes them. */
  applied(logits: Float32Array): Float32Array {
    if (this.added.size === 0) return logits;
    const changed = Float32Array.from(logits);
    for (const [token, value] of this.added) if (token in changed) changed[token] = at(changed, token) + value;
    return changed;
  }

  seen(token: number): void {
    const { presencePenalty, frequencyPenalty } = this.sampling;
    if (presencePenalty === 0 && frequencyPenalty === 0) return;
    const penalty = frequencyPenalty + (this.penalised.has(token) ? 0 : presencePenalty);
    this.penalised.add(token);
    this.added.set(token, (this.added.get(token) ?? 0) - penalty);
  }
}

function settingsOf({ temperature, topP, topK, minP, seed }: Sampling): SamplerSettings {
  return {
    temperature,
    ...(topK > 0 ? { topK } : {}),
    ...(topP < 1 ? { topP } : {}),
    ...(minP > 0 ? { minP } : {}),
    seed: seed === undefined ? Math.floor(Math.random() * SEEDS) : ((seed % SEEDS) + SEEDS) % SEEDS,
  };
}

/** Log-probabilities of the token and of the `count` most probable ones, before biases and penalties; of equal ones the lowest id first. */
function choiceOf(logits: Float32Array, token: number, count: number, textOf: SamplerParts["textOf"]): TokenChoice {
  const logprobOf = logProbabilities(logits);
  const told = (id: number): TokenLogprob => ({ token: id, text: textOf(id), logprob: logprobOf(id) });
  return { ...told(token), top: highestOf(logits, count).map(told) };
}

function highestOf(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  if (count === 0) return best;
  for (let token = 0; token < logits.length; token++) {
    const logit = at(logits, token);
    if (best.length === count && logit <= at(logits, at(best, count - 1))) continue;
    const place = best.findIndex((one) => logit > at(logits, one));
    best.splice(place < 0 ? best.length : place, 0, token);
    best.length = Math.min(best.length, count);
  }
  return best;
}
