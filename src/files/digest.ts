import { createHash } from "node:crypto";

/** SHA-256 of a text or of bytes, lower-case hex. */
export function digest(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}
