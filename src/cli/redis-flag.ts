import { holdsPassword, redisAddress, REDIS_VARIABLE, type RedisAddress } from "../queue/redis-address.js";
import { say } from "./output.js";

/** Help text of `--redis`. */
export const REDIS_HELP = `redis://host:6379, or rediss:// for TLS (default: ${REDIS_VARIABLE} in the environment)`;

/**
 * The address of a queue from its flag or the environment. A password in a flag is warned of, and taken out of what lists of processes show.
 * @throws UsageError where neither gives an address, or it cannot be read.
 */
export function redisFromFlag(flag: string | undefined): RedisAddress {
  hidePassword();
  return redisAddress(flag, process.env);
}

/** Warns of a password in this process's arguments, and shows other arguments in its place (where the system allows it: Linux, macOS). */
export function hidePassword(): void {
  if (!process.argv.some(holdsPassword)) return;
  process.title = ["boundary", ...process.argv.slice(2, 3)].join(" ");
  say(
    `warning: the password in --redis was visible in the list of processes and may be in your shell's history: set ${REDIS_VARIABLE} instead`,
  );
}
