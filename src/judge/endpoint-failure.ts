import { APIConnectionError, APIConnectionTimeoutError, APIError } from "openai";
import { messageOf, type ErrorParts } from "../errors.js";
import { printable } from "../files/printable.js";
import { JudgeError, type JudgeFailureKind } from "./judge-model.js";
import { retryAfterMs } from "./retry.js";

/** What is known of the endpoint when something fails. */
export interface EndpointContext {
  readonly judge: string;
  readonly url: string;
  /** Cut out of everything that is shown: some endpoints repeat it in their messages. */
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
}

/** What a status and the endpoint's own error code mean. */
interface Meaning {
  readonly kind: JudgeFailureKind;
  readonly isFinal?: boolean;
  readonly fix: string;
}

const TOO_LONG = /context.{0,20}(length|size|window)|too (long|large|many tokens)|exceed_context_size/i;
const FILTERED = /content_filter|content_policy|ResponsibleAI/i;

/** Turns what the client throws into a {@link JudgeError}. `timedOut`: our own deadline fired. */
export function endpointError(cause: unknown, context: EndpointContext, timedOut: boolean): JudgeError {
  if (timedOut || cause instanceof APIConnectionTimeoutError) return timeoutError(context);
  if (cause instanceof APIConnectionError) return unreachableError(cause, context);
  if (isStatusError(cause)) return statusError(cause, cause.status, context);
  // A body that breaks off or is no JSON although its header says so.
  return garbageError(messageOf(cause), context);
}

/** The error of an answer that is no chat completion. `seen`: what came instead. */
export function garbageError(seen: string, context: EndpointContext): JudgeError {
  return new JudgeError(
    { judge: context.judge, kind: "garbage" },
    {
      what: `the judge ${context.judge} at ${context.url} answers with something else than a chat completion`,
      actual: shown(seen, context),
      fix: "Check that the address is that of an OpenAI-compatible endpoint; it mostly ends in /v1.",
    },
  );
}

/** The error of a question that the judge or a filter in front of it declined. */
export function refusedError(words: string, context: EndpointContext): JudgeError {
  return new JudgeError(
    { judge: context.judge, kind: "refused" },
    { what: `the judge ${context.judge} refuses a question`, actual: shown(words, context) },
  );
}

interface StatusError extends Error {
  readonly status: number;
  readonly headers: unknown;
  readonly code?: unknown;
  readonly type?: unknown;
}

function isStatusError(cause: unknown): cause is StatusError {
  return cause instanceof APIError && typeof cause.status === "number";
}

function timeoutError({ judge, url, timeoutMs }: EndpointContext): JudgeError {
  return new JudgeError(
    { judge, kind: "timeout" },
    {
      what: `the judge ${judge} at ${url} does not answer in time`,
      actual: `nothing complete after ${timeoutMs / 1000} s`,
      fix: "Allow it more time, or ask fewer questions at once.",
    },
  );
}

function unreachableError(cause: APIConnectionError, context: EndpointContext): JudgeError {
  return new JudgeError(
    { judge: context.judge, kind: "unreachable" },
    {
      what: `the judge ${context.judge} at ${context.url} cannot be reached`,
      actual: shown(innermost(cause), context),
      fix: "Check that it runs and that the address is right.",
    },
  );
}

function statusError(cause: StatusError, status: number, context: EndpointContext): JudgeError {
  const {
    kind,
    isFinal = false,
    fix,
  } = meaningOf(status, `${String(cause.code)} ${String(cause.type)} ${cause.message}`);
  const pause = cause.headers instanceof Headers ? retryAfterMs(cause.headers) : undefined;
  const parts: ErrorParts = {
    what: `the judge ${context.judge} at ${context.url} answers HTTP ${status}`,
    actual: shown(cause.message.replace(new RegExp(`^${status} `), ""), context),
    fix,
  };
  // No `cause`: the client's error holds the endpoint's words as they came, which may repeat the key.
  return new JudgeError(
    { judge: context.judge, kind, isFinal, ...(pause === undefined ? {} : { retryAfterMs: pause }) },
    parts,
  );
}

function meaningOf(status: number, words: string): Meaning {
  if (status === 429) {
    return words.includes("insufficient_quota")
      ? { kind: "rejected", isFinal: true, fix: "The account has no credit left." }
      : { kind: "rate-limit", fix: "Ask fewer questions at once, or run the judge again later." };
  }
  if (status >= 500 || status === 408) return { kind: "server-error", fix: "Look into the endpoint's log." };
  if (status === 413 || TOO_LONG.test(words)) return { kind: "too-long", fix: "Use a judge with a longer context." };
  if (FILTERED.test(words)) return { kind: "refused", fix: "A content filter declined this question." };
  if (status === 401 || status === 403) {
    return { kind: "rejected", isFinal: true, fix: "Set BOUNDARY_JUDGE_API_KEY to a key that this endpoint accepts." };
  }
  if (status === 404) return { kind: "rejected", isFinal: true, fix: "Check the address and the model's name." };
  return { kind: "rejected", fix: "Check the model's name and the settings of the judge." };
}

/** The words of the error that all others wrap: "connect ECONNREFUSED 127.0.0.1:8080" rather than "Connection error". */
function innermost(error: Error): string {
  const { cause } = error;
  if (cause instanceof Error) return innermost(cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return error.message === "" ? code : error.message;
}

function shown(words: string, { apiKey }: EndpointContext): string {
  return JSON.stringify(printable(apiKey === undefined || apiKey === "" ? words : words.replaceAll(apiKey, "***")));
}
