import type { Duplex } from "node:stream";

/**
 * Longest reply of Redis that is taken, in bytes: above all that is asked for (the bounds of messages.ts, times what is read at once), and what a
 * connection may take of a machine's memory. Redis itself allows values of 512 MB, and whoever may write can put one anywhere.
 */
export const LONGEST_REPLY = 64 << 20;

const [CR, LF, DOLLAR, STAR, EQUALS, TILDE, GREATER, PERCENT] = [13, 10, 36, 42, 61, 126, 62, 37];
/** Longest line that announces a length, in bytes; lines of other kinds are text. */
const HEADER_BYTES = 32;

/**
 * Ends a connection as soon as a reply announces that it is longer than {@link LONGEST_REPLY}: before its bytes have come. The client then
 * connects again. Source of the framing: redis.io/docs/latest/develop/reference/protocol-spec (RESP2, and RESP3's aggregates).
 */
export function limitReplies(stream: Duplex, limit = LONGEST_REPLY): void {
  const meter = new ReplyMeter();
  stream.on("data", (bytes: Buffer) => {
    if (meter.feed(bytes) > limit) stream.destroy(new Error(`Redis sends a reply of more than ${limit >> 20} MiB`));
  });
}

/** Adds up the length of the reply that is coming, its announced parts included. */
export class ReplyMeter {
  /** Bytes of the reply so far, with those of a part that was announced and has not come. */
  private length = 0;
  /** Bytes left of the part that is coming. */
  private body = 0;
  /** For each list that is open, from the outermost: parts that are still to come. */
  private readonly open: number[] = [];
  private line: number[] = [];

  /** @returns the length of the longest reply that is or was under way in these bytes. */
  feed(bytes: Buffer): number {
    let longest = this.length;
    for (let at = 0; at < bytes.length;) {
      if (this.body > 0) {
        const some = Math.min(this.body, bytes.length - at);
        this.body -= some;
        at += some;
        if (this.body === 0) this.endPart();
        continue;
      }
      const end = bytes.indexOf(LF, at);
      const stop = end === -1 ? bytes.length : end + 1;
      for (let i = at; i < stop && this.line.length < HEADER_BYTES; i++) this.line.push(bytes[i] ?? 0);
      this.length += stop - at;
      at = stop;
      longest = Math.max(longest, this.length);
      if (end !== -1) this.endLine();
      longest = Math.max(longest, this.length);
    }
    return longest;
  }

  private endLine(): void {
    const [kind, ...rest] = this.line;
    const text = String.fromCharCode(...rest.filter((code) => code !== CR && code !== LF));
    const count = /^\d+$/.test(text) ? Number(text) : 0;
    this.line = [];
    if ((kind === DOLLAR || kind === EQUALS) && /^\d+$/.test(text)) {
      this.body = count + 2;
      this.length += this.body;
    } else if (count > 0 && (kind === STAR || kind === TILDE || kind === GREATER || kind === PERCENT)) {
      this.open.push(kind === PERCENT ? 2 * count : count);
    } else this.endPart();
  }

  /** A value has come whole, and with it perhaps lists that it was the last of. */
  private endPart(): void {
    for (let last = this.open.pop(); last !== undefined; last = this.open.pop()) {
      if (last > 1) {
        this.open.push(last - 1);
        return;
      }
    }
    this.length = 0;
  }
}
