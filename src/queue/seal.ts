import { createHmac, scryptSync, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { defined } from "../assert.js";
import { fileError, messageOf, QueueError, UsageError } from "../errors.js";
import type { RedisAddress } from "./redis-address.js";

/** Names of the environment variables that hold the key of a queue, or the path of a file that holds it: never a flag, which lists of processes show. */
export const KEY_VARIABLE = "BOUNDARY_QUEUE_KEY";
export const KEY_FILE_VARIABLE = "BOUNDARY_QUEUE_KEY_FILE";

/** Whoever reads a message can try keys on it, as fast as machines allow: shorter keys are refused. */
const LEAST_CHARACTERS = 16;
/** What a key is told to be made with. */
const MAKE_KEY = "openssl rand -base64 32";
/** First field of every message and of what is signed: a change of either needs another. */
const FORMAT = "boundary1";
const UNSIGNED = "unsigned";
const FORM = /^boundary1 (unsigned|[0-9a-f]{64}) /;

/** What a message is and where it belongs: it passes nowhere else. */
export type Purpose =
  /** From coordinator to worker. */
  | readonly ["job", queue: string, id: string]
  /** From worker to coordinator. */
  | readonly ["entry", run: string]
  | readonly ["worker", id: string]
  | readonly ["coordinator", run: string]
  /** A job that a coordinator has handed out. */
  | readonly ["handed-out", run: string, id: string];

/** A message is not signed as it must be. */
export class SealError extends QueueError {}

/** Signs and checks what goes through Redis, by HMAC-SHA256 with the key that coordinator and workers share; without a key nothing is signed. */
export class Seal {
  private constructor(private readonly key: Buffer | undefined) {}

  static readonly none = new Seal(undefined);

  /** @param text the key as the user wrote it. @throws UsageError when it is too short. */
  static of(text: string): Seal {
    const trimmed = text.trim();
    if (trimmed.length < LEAST_CHARACTERS) {
      throw new UsageError({
        what: `the key in ${KEY_VARIABLE} is too short`,
        actual: `${trimmed.length} characters`,
        expected: `at least ${LEAST_CHARACTERS}`,
        fix: `Make one with \`${MAKE_KEY}\`.`,
      });
    }
    // Costs 50 ms once, and as much for each key that somebody tries on messages that he has read.
    return new Seal(scryptSync(trimmed, "boundary queue", 32));
  }

  get isKeyed(): boolean {
    return this.key !== undefined;
  }

  /** What distinguishes keys, without giving them away: part of a queue's name, so that jobs reach only those who can check them. */
  get name(): string {
    return this.key === undefined ? UNSIGNED : this.sign(["name"]).slice(0, 16);
  }

  /** The text of a message: format, signature, and the value as JSON, which is signed as it stands there. */
  close(purpose: Purpose, value: unknown): string {
    const body = JSON.stringify(value);
    return `${FORMAT} ${this.key === undefined ? UNSIGNED : this.sign([...purpose, body])} ${body}`;
  }

  /** The value of a message. @throws SealError when it is not signed with this key for this purpose. */
  open(purpose: Purpose, text: unknown): unknown {
    const [head, signature] = typeof text === "string" ? (FORM.exec(text) ?? []) : [];
    if (typeof text !== "string" || head === undefined || signature === undefined) {
      throw new SealError({ what: "it is not a message of this release of boundary" });
    }
    const body = text.slice(head.length);
    if (this.key === undefined) {
      if (signature !== UNSIGNED) throw new SealError({ what: `it is signed, and ${KEY_VARIABLE} is not set here` });
    } else {
      if (signature === UNSIGNED) throw new SealError({ what: `it is not signed, and ${KEY_VARIABLE} is set here` });
      const own = Buffer.from(this.sign([...purpose, body]), "hex");
      if (!timingSafeEqual(own, Buffer.from(signature, "hex"))) {
        throw new SealError({ what: `it is not signed for this place with the ${KEY_VARIABLE} that is set here` });
      }
    }
    try {
      return JSON.parse(body);
    } catch (error) {
      throw new SealError({ what: "it is not JSON", actual: messageOf(error).slice(0, 80) });
    }
  }

  private sign(parts: readonly string[]): string {
    return createHmac("sha256", defined(this.key, "a key to sign with"))
      .update(JSON.stringify([FORMAT, ...parts]))
      .digest("hex");
  }
}

/** The value of an unverified message, for a line that says whose it seems to be; undefined where there is none. */
export function unverified(text: string): unknown {
  const head = FORM.exec(text)?.[0];
  try {
    return head === undefined ? undefined : JSON.parse(text.slice(head.length));
  } catch {
    return undefined;
  }
}

/**
 * The seal for a queue at this address, from the environment. Beyond this machine a key is required: a password for Redis is known to
 * whoever runs it, and each of them could forge answers.
 * @param onWarning told where nothing is signed.
 * @throws UsageError where the key is missing or unfit; FileError when its file cannot be read.
 */
export function sealFor(
  address: RedisAddress,
  environment: NodeJS.ProcessEnv,
  onWarning: (line: string) => void,
): Seal {
  const text = keyText(environment);
  if (text !== undefined) return Seal.of(text);
  if (!address.isLoopback) {
    throw new UsageError({
      what: `${KEY_VARIABLE} is not set, and Redis at ${address.shown} is on another machine`,
      fix: `Set it to the same key for the sweep and all workers (\`${MAKE_KEY}\`), or ${KEY_FILE_VARIABLE} to a file that holds it: without one, whoever can write to that Redis can forge answers.`,
    });
  }
  onWarning(
    `${KEY_VARIABLE} is not set: whoever can write to Redis at ${address.shown} can forge jobs and answers (docs/queue.md)`,
  );
  return Seal.none;
}

function keyText(environment: NodeJS.ProcessEnv): string | undefined {
  const text = environment[KEY_VARIABLE];
  if (text !== undefined && text !== "") return text;
  const path = environment[KEY_FILE_VARIABLE];
  if (path === undefined || path === "") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, "read", error);
  }
}
