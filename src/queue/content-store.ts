import { dirname } from "node:path";
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { defined } from "../assert.js";
import { QueueError } from "../errors.js";
import { ensureFolder, writeFileAtomic } from "../files/atomic-file.js";
import { sha256File, withFileSource } from "../files/file-source.js";
import { digest } from "../files/digest.js";
import { keys } from "./keys.js";
import { LIMITS, tooLarge } from "./messages.js";

/** How long content stays in Redis after it was last put there, in seconds; what is missing is put again. */
const KEPT_SECONDS = 24 * 3600;

/** Texts fetched at once. */
const TEXTS_AT_ONCE = 4;

/** What a job names by its hash is not in Redis (any more), or something else is there: whoever put it there puts it again. */
export class MissingContentError extends QueueError {}

/** A text by its hash; it is only made where it is not in Redis yet. */
export interface NamedText {
  readonly sha256: string;
  readonly text: () => string;
}

/** Texts and files in Redis by the SHA-256 of their content. */
export class ContentStore {
  private readonly known = new Set<string>();
  /** Files by their hash, and how many chunks each has. */
  private readonly knownFiles = new Map<string, Promise<number>>();
  /** What is in Redis is not believed to be what was put there. */
  private mistrusts = false;

  constructor(private readonly redis: Redis) {}

  /** Puts texts, unless this store did before. @throws QueueError for one that is too long. */
  async putTexts(texts: readonly NamedText[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    const added: string[] = [];
    for (const { sha256, text } of texts) {
      if (this.known.has(sha256)) continue;
      const content = text();
      const bytes = Buffer.byteLength(content);
      if (bytes > LIMITS.text) throw tooLarge("a text", bytes, LIMITS.text);
      this.known.add(sha256);
      pipeline.set(keys.text(sha256), content, "EX", KEPT_SECONDS);
      added.push(sha256);
    }
    if (added.length === 0) return;
    const replies = defined(await pipeline.exec(), "the replies of Redis");
    const failed = replies.find(([error]) => error !== null)?.[0];
    if (!failed) return;
    for (const sha256 of added) this.known.delete(sha256);
    throw failed;
  }

  /** @throws MissingContentError also when what is there has another hash; QueueError when all together is too much. */
  async texts(hashes: readonly string[]): Promise<string[]> {
    const texts: string[] = [];
    let length = 0;
    for (let at = 0; at < hashes.length; at += TEXTS_AT_ONCE) {
      for (const text of await this.someTexts(hashes.slice(at, at + TEXTS_AT_ONCE))) {
        length += text.length;
        if (length > LIMITS.texts) throw tooLarge("what a job names", length, LIMITS.texts);
        texts.push(text);
      }
    }
    return texts;
  }

  private async someTexts(hashes: readonly string[]): Promise<string[]> {
    const pipeline = this.redis.pipeline();
    // One byte more than allowed: whatever is there, no more of it comes.
    for (const hash of hashes) pipeline.getrange(keys.text(hash), 0, LIMITS.text);
    const replies = defined(await pipeline.exec(), "the replies of Redis");
    return hashes.map((hash, i) => {
      const text = replies[i]?.[1];
      if (typeof text !== "string" || digest(text) !== hash) throw missing("a text", hash);
      return text;
    });
  }

  /** Puts a file in chunks, unless it is there already. */
  async putFile(path: string, sha256: string): Promise<void> {
    const known = this.knownFiles.get(sha256);
    if (known) {
      await known;
      return;
    }
    const put = this.putMissing(path, sha256);
    this.knownFiles.set(sha256, put);
    put.catch(() => this.knownFiles.delete(sha256));
    await put;
  }

  /**
   * Fetches a file of so many bytes into a path.
   * @throws MissingContentError also when what is there has another length or hash: nothing is left behind then; FileError.
   */
  async fetchFile(sha256: string, bytes: number, path: string): Promise<void> {
    await ensureFolder(dirname(path));
    await writeFileAtomic(
      path,
      async (handle) => {
        const hash = createHash("sha256");
        for (let start = 0; start < bytes; start += LIMITS.chunk) {
          const key = keys.chunk(sha256, start / LIMITS.chunk);
          const chunk = await this.redis.getrangeBuffer(key, 0, LIMITS.chunk).catch(() => undefined);
          if (chunk?.byteLength !== Math.min(LIMITS.chunk, bytes - start)) throw missing("a file", sha256);
          hash.update(chunk);
          await handle.appendFile(chunk);
        }
        if (hash.digest("hex") !== sha256) throw missing("a file", sha256);
      },
      { overwrite: true },
    );
  }

  /** Forgets what was put: the next put puts it again, whatever is there. */
  forget(): void {
    this.known.clear();
    this.knownFiles.clear();
    this.mistrusts = true;
  }

  /** Removes from Redis what this store has put. Another run that still needs it puts it again. */
  async removeAll(): Promise<void> {
    const [texts, files] = [[...this.known], [...this.knownFiles]];
    this.known.clear();
    this.knownFiles.clear();
    for (let at = 0; at < texts.length; at += 1000) {
      await this.redis.unlink(...texts.slice(at, at + 1000).map((hash) => keys.text(hash)));
    }
    for (const [hash, put] of files) {
      const chunks = await put;
      await this.redis.unlink(keys.file(hash));
      for (let at = 0; at < chunks; at++) await this.redis.unlink(keys.chunk(hash, at));
    }
  }

  private async putMissing(path: string, sha256: string): Promise<number> {
    return withFileSource(path, async (source) => {
      const chunks = Math.ceil(source.size / LIMITS.chunk);
      const isThere = !this.mistrusts && (await this.redis.expire(keys.file(sha256), KEPT_SECONDS)) === 1;
      if (isThere) return chunks;
      if ((await sha256File(path)) !== sha256) {
        throw new QueueError({ what: `${path} is not what its hash says`, expected: sha256 });
      }
      for (let at = 0; at < chunks; at++) {
        const start = at * LIMITS.chunk;
        const bytes = await source.read(start, Math.min(LIMITS.chunk, source.size - start));
        await this.redis.set(keys.chunk(sha256, at), bytes, "EX", 2 * KEPT_SECONDS);
      }
      // Last: whoever sees it finds all chunks.
      await this.redis.set(keys.file(sha256), "here", "EX", KEPT_SECONDS);
      return chunks;
    });
  }
}

function missing(what: string, hash: string): MissingContentError {
  return new MissingContentError({ what: `${what} that a job names is not in Redis any more`, actual: hash });
}
