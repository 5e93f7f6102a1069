import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { ServedAnswer, ServedStop, ServingDelta, TokenChoice } from "../engine/serving/serving.js";

/** How an endpoint puts answers and their pieces into OpenAI's shapes. */
export interface Shapes {
  /** The whole answer. */
  whole(answer: ServedAnswer): object;
  /** What a stream begins with. */
  opening(): object[];
  piece(delta: ServingDelta): object;
  /** What a stream ends with; usage only where it was asked for. */
  closing(answer: ServedAnswer): object[];
}

/** What all shapes of one request share. */
export interface ShapeContext {
  /** The model's name as the request spelled it. */
  readonly model: string;
  readonly boundary: number;
  readonly fingerprint: string;
  readonly logprobs: boolean;
  readonly includeUsage: boolean;
}

/** Shapes of /v1/chat/completions. */
export function chatShapes(context: ShapeContext): Shapes {
  const id = `chatcmpl-${randomUUID()}`;
  const logprobs = (choices: readonly TokenChoice[]): object | null =>
    context.logprobs ? { content: choices.map(chatLogprob), refusal: null } : null;
  const event = (delta: object, choices: readonly TokenChoice[], finish: string | null): object =>
    chunk(context, id, "chat.completion.chunk", { delta, logprobs: logprobs(choices), finish_reason: finish });
  return {
    whole: (answer) => ({
      ...head(context, id, "chat.completion"),
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: answer.text, refusal: null },
          logprobs: logprobs(answer.choices),
          finish_reason: finishReason(answer.stopReason),
        },
      ],
      usage: usage(answer),
      timings: timings(answer),
    }),
    opening: () => [event({ role: "assistant", content: "", refusal: null }, [], null)],
    piece: ({ text, choices }) => event({ content: text }, choices, null),
    closing: (answer) => [
      { ...event({}, [], finishReason(answer.stopReason)), timings: timings(answer) },
      ...usageChunk(context, id, "chat.completion.chunk", answer),
    ],
  };
}

/** Shapes of /v1/completions. */
export function completionShapes(context: ShapeContext): Shapes {
  const id = `cmpl-${randomUUID()}`;
  let offset = 0;
  const choice = (text: string, choices: readonly TokenChoice[], finish: string | null): object => {
    const logprobs = context.logprobs ? completionLogprobs(choices, offset) : null;
    offset += text.length;
    return { text, logprobs, finish_reason: finish };
  };
  return {
    whole: (answer) => ({
      ...head(context, id, "text_completion"),
      choices: [{ index: 0, ...choice(answer.text, answer.choices, finishReason(answer.stopReason)) }],
      usage: usage(answer),
      timings: timings(answer),
    }),
    opening: () => [],
    piece: ({ text, choices }) => chunk(context, id, "text_completion", choice(text, choices, null)),
    closing: (answer) => [
      {
        ...chunk(context, id, "text_completion", choice("", [], finishReason(answer.stopReason))),
        timings: timings(answer),
      },
      ...usageChunk(context, id, "text_completion", answer),
    ],
  };
}

function head({ model, boundary, fingerprint }: ShapeContext, id: string, object: string): object {
  const created = Math.floor(Date.now() / 1000);
  return { id, object, created, model, system_fingerprint: fingerprint, boundary };
}

function chunk(context: ShapeContext, id: string, object: string, choice: object): object {
  return {
    ...head(context, id, object),
    choices: [{ index: 0, ...choice }],
    ...(context.includeUsage ? { usage: null } : {}),
  };
}

function usageChunk(context: ShapeContext, id: string, object: string, answer: ServedAnswer): object[] {
  return context.includeUsage ? [{ ...head(context, id, object), choices: [], usage: usage(answer) }] : [];
}

function usage({ promptTokens, reusedTokens, tokens }: ServedAnswer): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: tokens.length,
    total_tokens: promptTokens + tokens.length,
    prompt_tokens_details: { cached_tokens: reusedTokens },
  };
}

function timings({ queuedMs, prefillMs, decodeMs, tokens }: ServedAnswer): object {
  const perSecond = tokens.length > 1 && decodeMs > 0 ? (1000 * (tokens.length - 1)) / decodeMs : null;
  return { queued_ms: queuedMs, prefill_ms: prefillMs, decode_ms: decodeMs, decode_tokens_per_second: perSecond };
}

function finishReason(stop: ServedStop): "stop" | "length" {
  return stop === "eog" || stop === "stop" ? "stop" : "length";
}

function chatLogprob({ text, logprob, top }: TokenChoice): object {
  const entry = (token: string, value: number): object => ({ token, logprob: value, bytes: bytesOf(token) });
  return { ...entry(text, logprob), top_logprobs: top.map((other) => entry(other.text, other.logprob)) };
}

/** UTF-8 bytes of a token's text; null for a half of a character, which has no text of its own. */
function bytesOf(text: string): number[] | null {
  return text.includes("\uFFFD") ? null : [...Buffer.from(text)];
}

function completionLogprobs(choices: readonly TokenChoice[], start: number): object {
  let offset = start;
  return {
    tokens: choices.map(({ text }) => text),
    token_logprobs: choices.map(({ logprob }) => logprob),
    top_logprobs: choices.map(({ top }) => Object.fromEntries(top.map(({ text, logprob }) => [text, logprob]))),
    text_offset: choices.map(({ text }) => {
      const at = offset;
      offset += text.length;
      return at;
    }),
  };
}
