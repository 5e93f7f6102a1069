import { homedir } from "node:os";

/**
 * User and password of an address: all up to an @ before the first slash, and all up to the last @ where what stands before the first slash has a
 * colon that no port follows. Then the slash is one of the password that nobody has percent-encoded.
 */
const CREDENTIALS = /\/\/(?:[^/\s]+|[^/\s:@]*:(?!\d+[/?#])[^\s]*|:[^\s]*)@/g;

/** Replaces the home folder by `~` and the credentials of an address, also those in its query, by `***`. */
export function redact(value: string): string {
  return withoutHome(value, homedir())
    .replace(CREDENTIALS, "//***@")
    .replace(/([?&](?:[^=&\s]*(?:token|key|secret|password|sig|auth|credential)[^=&\s]*)=)[^&\s]+/gi, "$1***");
}

/** `~` for the home folder where a path begins with it: `/mnt/root/x` and `/root2/x` do not lie in `/root`. */
function withoutHome(value: string, home: string): string {
  if (home.length < 2) return value;
  const pattern = home.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return value.replace(new RegExp(`(?<![\\w.~-])${pattern}(?![\\w.-])`, "g"), "~");
}
