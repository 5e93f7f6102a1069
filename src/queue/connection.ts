import { setTimeout as sleep } from "node:timers/promises";
import { Redis, type RedisOptions } from "ioredis";
import { QueueError, UsageError, messageOf } from "../errors.js";
import { redact } from "../formats/redact.js";

/** How long the first connection may take, in milliseconds; later ones are tried for as long as it takes. */
const FIRST_CONNECTION_MS = 10_000;
/** A server that is just being started again is waited for so long, in milliseconds, with pauses between two attempts. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 250;
/** Longest pause between two attempts to connect again, in milliseconds. */
const LONGEST_PAUSE_MS = 2_000;
/** Silence after which a connection is given up and made again, in milliseconds: all of them are used more often. */
const SILENCE_MS = 20_000;

/** Longest wait of a blocking read, in milliseconds; well below {@link SILENCE_MS}. */
export const BLOCK_MS = 5_000;

/** Name of the environment variable that holds the address where no flag gives one: a password in it is in no list of processes. */
export const REDIS_VARIABLE = "BOUNDARY_REDIS";

/**
 * Connects to the Redis server of a queue. From then on a lost connection is made again and commands wait for it.
 * @param url `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS.
 * @throws UsageError when it is no such address, QueueError when the server cannot be reached or refuses.
 */
export async function connectRedis(url: string): Promise<Redis> {
  assertAddress(url);
  let connected = false;
  const options: RedisOptions = {
    lazyConnect: true,
    // BullMQ's condition: what waits must wait until the server is back.
    maxRetriesPerRequest: null,
    connectTimeout: FIRST_CONNECTION_MS,
    keepAlive: 10_000,
    retryStrategy: (attempt) => (connected ? Math.min(100 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS) : null),
  };
  const redis = watched(new Redis(url, options));
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
        throw redisFailure(url, cause);
      }
      await sleep(PAUSE_MS);
    }
  }
  connected = true;
  return redis;
}

/** Another connection to the same server, for reads that block. */
export function anotherConnection(redis: Redis): Redis {
  const other = watched(
    redis.duplicate({
      lazyConnect: false,
      retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
    }),
  );
  // Whoever waits for a command sees its error; a lost connection is made again.
  other.on("error", () => undefined);
  return other;
}

/** Tells when the connection is lost and when it is there again, once each, until it is given up. */
export function tellOutages(redis: Redis, url: string, onLine: (line: string) => void): void {
  let isGone = false;
  redis.on("reconnecting", () => {
    if (!isGone) onLine(`Redis at ${redact(url)} is gone; trying again`);
    isGone = true;
  });
  redis.on("ready", () => {
    if (isGone) onLine(`Redis at ${redact(url)} is back`);
    isGone = false;
  });
}

/** A cut in the network shows as silence only: nothing else would end a read that waits. */
function watched(redis: Redis): Redis {
  redis.on("connect", () => {
    const { stream } = redis;
    stream.setTimeout(SILENCE_MS, () => stream.destroy(new Error(`no word for ${SILENCE_MS / 1000} s`)));
  });
  return redis;
}

/** Whether Redis refused because it may not take more memory. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

/** An error of the connection or the server as one that says what to do; errors that are told already stay as they are. */
export function redisFailure(url: string, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  const message = messageOf(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return new QueueError({
    what: `the queue at ${redact(url)} cannot be used`,
    actual: message === "" ? code : message,
    fix: fixOf(`${code} ${message}`),
    cause: error,
  });
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
    return `Check user and password: redis://user:password@host:port, in the environment as ${REDIS_VARIABLE} so that no list of processes shows it.`;
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(message)) return "Check the host's name.";
  if (/certificate|SSL|TLS|self.signed/i.test(message)) {
    return "For a certificate of your own authority, set NODE_EXTRA_CA_CERTS to its file; redis:// is without TLS.";
  }
  return "Check that Redis runs there and that the address and port are right.";
}

function assertAddress(url: string): void {
  const { protocol, hostname } = parsed(url);
  if (["redis:", "rediss:"].includes(protocol) && hostname !== "") return;
  throw new UsageError({
    what: "--redis is not the address of a Redis server",
    actual: JSON.stringify(redact(url)),
    expected: "redis://host:6379, or rediss:// for TLS",
  });
}

function parsed(url: string): Pick<URL, "protocol" | "hostname"> {
  return URL.canParse(url) ? new URL(url) : { protocol: "", hostname: "" };
}
