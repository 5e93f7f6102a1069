import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError } from "../errors.js";
import { JudgeError, type JudgeFailureKind } from "./judge-model.js";

/** How to go on after a failure that may pass. Times in milliseconds. */
export interface RetryPolicy {
  /** Attempts after the first. */
  readonly retries: number;
  /** Wait before the first retry; doubles with each, up to {@link LONGEST_BACKOFF_MS}. */
  readonly firstDelayMs: number;
  /** Longest wait that an endpoint may ask for; a longer one is a failure at once. */
  readonly longestWaitMs: number;
}

/** As the official client's own. */
const LONGEST_BACKOFF_MS = 8_000;

/** Failures that may pass by waiting. */
const TRANSIENT: ReadonlySet<JudgeFailureKind> = new Set(["timeout", "rate-limit", "server-error", "unreachable"]);

/** When an endpoint may be asked again: one question's rate limit holds for all of them. */
export interface Quiet {
  /** Milliseconds of `Date.now()`. */
  until: number;
}

/**
 * Repeats an attempt while it fails in a way that may pass, after the time that the endpoint asks for or a growing one.
 * The official client's own retries are not used: its waits cannot be interrupted and have no upper bound.
 * @throws JudgeError of the last attempt; InterruptedError when the signal fires.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { retries, firstDelayMs, longestWaitMs }: RetryPolicy,
  quiet: Quiet,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let retry = 0; ; retry++) {
    await waitUntil(quiet, signal);
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof JudgeError) || !TRANSIENT.has(error.kind) || retry >= retries) throw error;
      if ((error.retryAfterMs ?? 0) > longestWaitMs) throw error;
      const backoff = Math.min(firstDelayMs * 2 ** retry, LONGEST_BACKOFF_MS);
      if (error.retryAfterMs !== undefined) quiet.until = Math.max(quiet.until, Date.now() + error.retryAfterMs);
      // Up to a quarter less, so that questions that failed together do not come back together.
      else await wait(backoff * (1 - Math.random() / 4), signal);
    }
  }
}

async function waitUntil(quiet: Quiet, signal: AbortSignal | undefined): Promise<void> {
  for (let left = quiet.until - Date.now(); left > 0; left = quiet.until - Date.now()) await wait(left, signal);
}

async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw interrupted(cause);
  }
}

/** The error of a judge that was stopped. */
export function interrupted(cause?: unknown): InterruptedError {
  return new InterruptedError({
    what: "stopped while a judge was asked",
    fix: "The answers so far are kept: run the judge again to go on.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The wait that the headers of a response ask for, in milliseconds: `retry-after-ms`, or `Retry-After` in seconds or as a date
 * (RFC 9110, 10.2.3). Undefined where there is none, or none that can be read.
 */
export function retryAfterMs(headers: Headers): number | undefined {
  const milliseconds = headers.get("retry-after-ms");
  if (milliseconds !== null && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds);
  const after = headers.get("retry-after");
  if (after === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
