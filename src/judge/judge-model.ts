import { BoundaryError, type ErrorParts } from "../errors.js";

/**
 * Why a question got no answer.
 * - `timeout`, `rate-limit`, `server-error` (HTTP 5xx), `unreachable`: still so after the retries
 * - `rejected`: the key, the model's name or the request is wrong
 * - `garbage`: what came back is no chat completion
 * - `refused`: the model declined, or a content filter stepped in
 * - `too-long`: the question does not fit into the judge's context
 */
export const judgeFailureKinds = [
  "timeout",
  "rate-limit",
  "server-error",
  "unreachable",
  "rejected",
  "garbage",
  "refused",
  "too-long",
] as const;
export type JudgeFailureKind = (typeof judgeFailureKinds)[number];

/** Failures that lie in one question alone: others may well be answered, and asking this one again gives the same. */
export const questionFailures: ReadonlySet<JudgeFailureKind> = new Set(["refused", "too-long"]);

/** A judge did not answer. */
export class JudgeError extends BoundaryError {
  override readonly name = "JudgeError";
  readonly judge: string;
  readonly kind: JudgeFailureKind;
  /** Whether every other question would fail in the same way: a wrong key, a model that does not exist, an engine that is gone. */
  readonly isFinal: boolean;
  /** How long the endpoint asks to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(
    {
      judge,
      kind,
      isFinal,
      retryAfterMs,
    }: { judge: string; kind: JudgeFailureKind; isFinal?: boolean; retryAfterMs?: number },
    parts: ErrorParts,
  ) {
    super(parts);
    this.judge = judge;
    this.kind = kind;
    this.isFinal = isFinal ?? false;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

/** What a judge said. */
export interface JudgeReply {
  /** As it came, thoughts included. */
  readonly text: string;
  /** Whether the limit of tokens cut it off. */
  readonly cut: boolean;
  /** Absent where the endpoint does not say. */
  readonly usage?: TokenUsage;
}

/** Tokens of one question and its answer. */
export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Price of a million tokens, in one currency. */
export interface TokenPrices {
  readonly promptPerMillion: number;
  readonly completionPerMillion: number;
}

/** A model that is asked for verdicts. */
export interface JudgeModel {
  /** As signatures and tables show it. */
  readonly name: string;
  /** All that decides its answers besides the question: part of the key under which they are kept. Never a secret. */
  readonly identity: Readonly<Record<string, unknown>>;
  readonly prices?: TokenPrices;
  /** What a reader of its verdicts should know, one sentence each; may grow while it is asked. */
  readonly notes: readonly string[];
  /**
   * Puts one question.
   * @throws JudgeError when there is no answer; InterruptedError when the signal fires.
   */
  ask(question: string, signal?: AbortSignal): Promise<JudgeReply>;
}
