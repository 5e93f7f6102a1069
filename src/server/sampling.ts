import { greedy, type Sampling } from "../engine/serving/serving.js";
import type { ChatRequest, CompletionRequest } from "./requests.js";

/** How a request wants its tokens drawn: greedily unless it says more. */
export function samplingOf(body: ChatRequest | CompletionRequest): Sampling {
  return {
    temperature: body.temperature ?? greedy.temperature,
    topP: body.top_p ?? greedy.topP,
    topK: body.top_k ?? greedy.topK,
    minP: body.min_p ?? greedy.minP,
    seed: body.seed ?? undefined,
    presencePenalty: body.presence_penalty ?? greedy.presencePenalty,
    frequencyPenalty: body.frequency_penalty ?? greedy.frequencyPenalty,
    bias: Object.entries(body.logit_bias ?? {}).map(([token, bias]) => [Number(token), bias] as const),
  };
}

/** The stop strings of a request. */
export function stopOf({ stop }: ChatRequest | CompletionRequest): string[] {
  return stop === null || stop === undefined ? [] : [stop].flat();
}
