import { UsageError } from "../errors.js";

/** Name of the environment variable that holds the address where no flag gives one: a password in it is in no list of processes. */
export const REDIS_VARIABLE = "BOUNDARY_REDIS";

/** Passwords below this length would garble every message they were cut out of; see {@link RedisAddress.scrub}. */
const LEAST_SCRUBBED = 4;
/** What may be asked for after the host: ioredis' own names. */
const QUERY = new Set(["family", "db"]);
/** Schemes that people give by mistake: safe to repeat, unlike whatever else stands in front of a colon. */
const OTHER_SCHEMES = /^(https?|unix|redis\+unix|redis\+socket|redis\+sentinel|valkeys?|tcp|tls|file):/i;

/** The address of a Redis server, taken apart once: nothing else reads the user's text, and nothing shows it. */
export class RedisAddress {
  /** The address without user and password. */
  readonly shown: string;

  private constructor(
    readonly host: string,
    readonly port: number,
    readonly username: string | undefined,
    readonly password: string | undefined,
    readonly db: number,
    /** 4 or 6 for IPv4 or IPv6 only, 0 for either. */
    readonly family: number,
    readonly isTls: boolean,
  ) {
    const name = host.includes(":") ? `[${host}]` : host;
    this.shown = `${isTls ? "rediss" : "redis"}://${password === undefined && username === undefined ? "" : "***@"}${name}:${port}${db === 0 ? "" : `/${db}`}`;
  }

  /**
   * Reads `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS.
   * @throws UsageError that repeats nothing of the text: any part of it may be of a password.
   */
  static parse(text: string): RedisAddress {
    const trimmed = text.trim();
    if (!/^rediss?:\/\//i.test(trimmed)) {
      const scheme = OTHER_SCHEMES.exec(trimmed)?.[1];
      throw notAnAddress(
        scheme === undefined ? "it does not begin with redis:// or rediss://" : `it begins with ${scheme}:`,
      );
    }
    // A URL drops control characters without a word, and with them a part of the password.
    const hasControls = /\p{Cc}/u.test(trimmed);
    if (hasControls || !URL.canParse(trimmed))
      throw notAnAddress(hasControls ? "it has control characters in it" : undefined);
    const url = new URL(trimmed);
    const path = /^\/?(\d{0,5})$/.exec(url.pathname);
    // A slash, question mark or hash in a password ends the host early: what is left of the password then looks like a path.
    if (url.hostname === "" || !path || url.hash !== "") throw notAnAddress(undefined);
    if (url.username !== "" && url.password === "") {
      throw notAnAddress("it has a user without a password; a password by itself stands behind a colon");
    }
    const query = [...url.searchParams];
    if (query.some(([name, value]) => !QUERY.has(name) || !/^\d{1,5}$/.test(value))) {
      throw notAnAddress("it has a query other than ?family= and ?db=");
    }
    const family = Number(url.searchParams.get("family") ?? (url.hostname.startsWith("[") ? 6 : 4));
    return new RedisAddress(
      decoded(url.hostname).replace(/^\[|\]$/g, ""),
      url.port === "" ? 6379 : Number(url.port),
      url.username === "" ? undefined : decoded(url.username),
      url.password === "" ? undefined : decoded(url.password),
      Number(path[1] === "" ? (url.searchParams.get("db") ?? 0) : path[1]),
      family,
      url.protocol === "rediss:",
    );
  }

  /** Whether only this machine reaches the server. */
  get isLoopback(): boolean {
    return /^(localhost|127(\.\d{1,3}){3}|::1|0:0:0:0:0:0:0:1)$/i.test(this.host);
  }

  /** A text without the password: of the server's own words nobody knows what they repeat. */
  scrub(text: string): string {
    const { password } = this;
    if (password === undefined || password.length < LEAST_SCRUBBED) return text;
    return [password, encodeURIComponent(password)].reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
  }
}

/** The address for a command: its flag, or the environment. @throws UsageError where neither gives one, or it cannot be read. */
export function redisAddress(flag: string | undefined, environment: NodeJS.ProcessEnv): RedisAddress {
  const text = flag ?? environment[REDIS_VARIABLE];
  if (text !== undefined && text.trim() !== "") return RedisAddress.parse(text);
  throw new UsageError({
    what: "the address of a Redis server is missing",
    fix: `Give --redis redis://host:6379, or set ${REDIS_VARIABLE}.`,
  });
}

/** Whether an argument of a command line holds a password. */
export function holdsPassword(argument: string): boolean {
  return /rediss?:\/\/[^@]*:[^@]*@/i.test(argument);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw notAnAddress("a % in it does not begin a percent-encoded character");
  }
}

function notAnAddress(found: string | undefined): UsageError {
  return new UsageError({
    what: `the address of the Redis server cannot be read${found === undefined ? "" : ` (${found})`}`,
    expected: "redis://:password@host:6379, or rediss:// for TLS",
    fix: "Percent-encode user and password: / is %2F, @ is %40, : is %3A, ? is %3F, # is %23, % is %25, a space is %20.",
  });
}
