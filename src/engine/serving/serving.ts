import type { ScaledPiece } from "../../adapter/pieces.js";
import type { EngineInfo, LogitsRequest } from "../engine.js";
import type { ContextShape } from "../layer-passes.js";
import type { GrammarSchema } from "../grammar/json-grammar.js";

/** How answers are served. */
export interface ServingOptions {
  /** Shape of each context; its sequences answer at once under one mask. */
  readonly context: ContextShape;
  /** Most contexts, so most masks, that are kept at once; the one that was idle for longest makes room. */
  readonly contexts: number;
  /**
   * Whether every answer equals that of the same request sent alone: each sequence decodes by itself, and a prompt's prefix is only
   * reused in the blocks in which it would have been computed anyway. Else sequences share their decode steps, and any prefix is reused.
   */
  readonly exact: boolean;
}

/** How the next token is drawn. */
export interface Sampling {
  /** 0 takes the most probable token. */
  readonly temperature: number;
  /** Share of probability that the candidates cover, 1 for all. */
  readonly topP: number;
  /** Most candidates, 0 for all. */
  readonly topK: number;
  /** Least probability of a candidate relative to the best one, 0 for all. */
  readonly minP: number;
  /** Same seed, same answer; undefined draws one. */
  readonly seed: number | undefined;
  /** Subtracted from the logit of each token that the answer has already, once and for each time. */
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Added to the logits of these tokens. */
  readonly bias: readonly (readonly [token: number, bias: number])[];
}

/** Sampling that takes the most probable token. */
export const greedy: Sampling = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  seed: undefined,
  presencePenalty: 0,
  frequencyPenalty: 0,
  bias: [],
};

/** One request for an answer. */
export interface ServingRequest {
  /** Names the request among those under way. */
  readonly id: string;
  readonly pieces: readonly ScaledPiece[];
  readonly tokens: readonly number[];
  readonly maxTokens: number;
  /** Milliseconds from the first work on it after which the answer is cut. */
  readonly maxMs: number;
  /** Strings that end the answer; they are cut off. */
  readonly stop: readonly string[];
  readonly sampling: Sampling;
  /** A JSON schema that the answer must satisfy. */
  readonly schema: GrammarSchema | undefined;
  /** How many of the most probable tokens are told with each one; undefined tells no probabilities at all. */
  readonly logprobs: number | undefined;
  /** Whether pieces of the answer are wanted as they come. */
  readonly stream: boolean;
}

/** A token with its natural log-probability, before temperature and the like. */
export interface TokenLogprob {
  readonly token: number;
  readonly text: string;
  readonly logprob: number;
}

/** The token that was taken, with the most probable ones at its place, best first. */
export interface TokenChoice extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

/** A piece of an answer: text that later tokens cannot change any more. */
export interface ServingDelta {
  readonly text: string;
  /** One for each token since the last piece, where the request asked for probabilities. */
  readonly choices: readonly TokenChoice[];
}

/**
 * `time`: the request's time was over; `cancelled`: nobody waits for the answer any more; `grammar`: its next token would take more
 * work in the schema's grammar than one token may.
 */
export type ServedStop = "eog" | "length" | "stop" | "time" | "cancelled" | "grammar";

/** An answer with what it took. Times in milliseconds. */
export interface ServedAnswer {
  readonly text: string;
  /** The generated tokens, without the end-of-generation token. */
  readonly tokens: readonly number[];
  readonly stopReason: ServedStop;
  readonly choices: readonly TokenChoice[];
  readonly promptTokens: number;
  /** Tokens of the prompt that were in the key/value cache already. */
  readonly reusedTokens: number;
  /** From arrival to the first work on it. */
  readonly queuedMs: number;
  /** From there to the first token. */
  readonly prefillMs: number;
  /** From the first token to the last one. */
  readonly decodeMs: number;
}

/** What the engine's process holds now. */
export interface ServingStatus {
  readonly residentBytes: number;
  readonly contexts: number;
  readonly running: number;
  readonly waiting: number;
}

/** A loaded model that answers many requests at once. */
export interface ServingEngine {
  readonly info: EngineInfo;
  /** As {@link Engine.tokenize}. */
  tokenize(texts: readonly string[]): Promise<number[][]>;
  /** As {@link Engine.nextTokenLogits}; before the first answer. */
  nextTokenLogits(request: LogitsRequest): Promise<Float32Array>;
  /** Makes the context of a mask now, so that a lack of memory shows before the first request. @throws MemoryError. */
  prepare(pieces: ServingRequest["pieces"]): Promise<void>;
  /**
   * Answers one request. When the signal fires, the answer so far comes back with the stop reason `cancelled`.
   * @throws EngineError, MemoryError; EngineCrashError when the native code ended the process.
   */
  answer(
    request: Omit<ServingRequest, "id" | "stream">,
    options?: { onDelta?: (delta: ServingDelta) => void; signal?: AbortSignal },
  ): Promise<ServedAnswer>;
  status(): Promise<ServingStatus>;
  /** Resolves when the engine's process has ended, whatever ended it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}
