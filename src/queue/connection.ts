import { setTimeout as sleep } from "node:timers/promises";
import { Redis, type RedisOptions } from "ioredis";
import { QueueError, messageOf } from "../errors.js";
import { REDIS_VARIABLE, type RedisAddress } from "./redis-address.js";
import { limitReplies } from "./reply-limit.js";

/** How long the first connection may take, in milliseconds; later ones are tried for as long as it takes. */
const FIRST_CONNECTION_MS = 10_000;
/** A server that is just being started again is waited for so long, in milliseconds, with pauses between two attempts. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 250;
/** Longest pause between two attempts to connect again, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;
/** Silence after which a connection is given up and made again, in milliseconds: all of them are used more often. */
const SILENCE_MS = 20_000;

/**
 * Connects to the Redis server of a queue. From then on a lost connection is made again and commands wait for it.
 * @param onWarning told where whoever reaches the server may use it.
 * @throws QueueError when the server cannot be reached or refuses.
 */
export async function connectRedis(address: RedisAddress, onWarning: (line: string) => void): Promise<Redis> {
  const { host, port, username, password, db, family, isTls } = address;
  let connected = false;
  const options: RedisOptions = {
    host,
    port,
    db,
    family,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls ? { tls: {} } : {}),
    lazyConnect: true,
    // BullMQ's condition: what waits must wait until the server is back.
    maxRetriesPerRequest: null,
    connectTimeout: FIRST_CONNECTION_MS,
    keepAlive: 10_000,
    retryStrategy: (attempt) => (connected ? Math.min(100 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS) : null),
  };
  const redis = new GuardedRedis(options);
  let seen: unknown;
  redis.on("error", (error: unknown) => {
    seen = error;
  });
  const started = performance.now();
  for (let isThere = false; !isThere;) {
    try {
      await redis.connect();
      await redis.ping();
      isThere = true;
    } catch (error) {
      // What `connect` says is only that the connection closed; why was told before.
      const cause = seen ?? error;
      const mayComeBack = isRefused(cause) && performance.now() - started < PATIENCE_MS;
      if (!mayComeBack) {
        redis.disconnect();
        throw redisFailure(address, cause);
      }
      await sleep(PAUSE_MS);
    }
  }
  connected = true;
  if (password === undefined && !address.isLoopback) {
    onWarning(
      `Redis at ${address.shown} asks for no password: whoever reaches that port can read and delete all of it (requirepass in redis.conf)`,
    );
  }
  return redis;
}

/** Tells when the connection is lost and when it is there again, once each, until it is given up. */
export function tellOutages(redis: Redis, address: RedisAddress, onLine: (line: string) => void): void {
  let isGone = false;
  redis.on("reconnecting", () => {
    if (!isGone) onLine(`Redis at ${address.shown} is gone; trying again`);
    isGone = true;
  });
  redis.on("ready", () => {
    if (isGone) onLine(`Redis at ${address.shown} is back`);
    isGone = false;
  });
}

/** A connection that notices silence and refuses replies without end; so do those that BullMQ makes of it. */
class GuardedRedis extends Redis {
  constructor(options: RedisOptions) {
    super(options);
    this.on("connect", () => {
      const { stream } = this;
      // A cut in the network shows as silence only: nothing else would end a read that waits.
      stream.setTimeout(SILENCE_MS, () => stream.destroy(new Error(`no word for ${SILENCE_MS / 1000} s`)));
      limitReplies(stream);
    });
  }

  override duplicate(override: Partial<RedisOptions> = {}): Redis {
    return new GuardedRedis({ ...this.options, ...override });
  }
}

/** Whether Redis refused because it may not take more memory. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

/** An error of the connection or the server as one that says what to do; errors that are told already stay as they are. */
export function redisFailure(address: RedisAddress, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  const message = wordsOf(address, error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new QueueError({
    what: `the queue at ${address.shown} cannot be used`,
    actual: message === "" ? code : message,
    fix: fixOf(`${code} ${message}`),
    // The client's own error holds the command that failed, and a failed AUTH holds the password.
    cause: new Error(message),
  });
}

/** The server's or the system's words, without the password. Some servers repeat what a command was given: of AUTH only the first word is kept. */
function wordsOf(address: RedisAddress, error: unknown): string {
  const words = address.scrub(messageOf(error));
  return isLogin(error) || /unknown command|args beginning/i.test(words) ? (words.split(" ")[0] ?? "") : words;
}

function isLogin(error: unknown): boolean {
  const command: unknown = error instanceof Error && "command" in error ? error.command : undefined;
  const name: unknown = typeof command === "object" && command !== null && "name" in command ? command.name : "";
  return typeof name === "string" && /^(auth|hello)$/i.test(name);
}

/** Whether nobody listens at that address, or somebody who reads his files first. */
function isRefused(error: unknown): boolean {
  const text = error instanceof Error ? `${"code" in error ? String(error.code) : ""} ${error.message}` : "";
  return /ECONNREFUSED|LOADING/.test(text);
}

function fixOf(message: string): string {
  if (/OOM/.test(message)) {
    return "Redis has used up its maxmemory: raise it, or free some, then run the same command again. Finished answers are kept.";
  }
  if (/NOAUTH|WRONGPASS|NOPERM/.test(message)) {
    return `Check user and password, percent-encoded where they have one of / @ : ? # % in them: redis://user:password@host:port, in the environment as ${REDIS_VARIABLE} so that no list of processes shows it.`;
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return "Check the host's name.";
  if (/certificate|SSL|TLS|self.signed/i.test(message)) {
    return "For a certificate of your own authority, set NODE_EXTRA_CA_CERTS to its file; redis:// is without TLS.";
  }
  return "Check that Redis runs there and that the address and port are right.";
}
