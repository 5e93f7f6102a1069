import { join } from "node:path";
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { z } from "zod";
import { QueueError } from "../errors.js";
import { ensureFolder, exists, writeFileAtomic } from "../formats/atomic-file.js";
import { sha256File, withFileSource } from "../formats/file-source.js";
import { digest } from "../formats/digest.js";
import { keys } from "./keys.js";
import { checked, LIMITS, tooLarge } from "./messages.js";

/** How long content stays in Redis after it was last put there, in seconds; what is missing is put again. */
const KEPT_SECONDS = 24 * 3600;

const fileSchema = z.strictObject({ bytes: z.number().int().min(0).max(LIMITS.file), chunks: z.number().int().min(0) });

/** What a job names by its hash is not in Redis (any more). */
export class MissingContentError extends QueueError {}

/** A text by its hash; it is only made where it is not in Redis yet. */
export interface NamedText {
  readonly sha256: string;
  readonly text: () => string;
}

/** Texts and files in Redis by the SHA-256 of their content. */
export class ContentStore {
  private readonly known = new Set<string>();
  private readonly knownFiles = new Map<string, Promise<void>>();

  constructor(private readonly redis: Redis) {}

  /** Puts texts, unless this store did before. @throws QueueError for one that is too long. */
  async putTexts(texts: readonly NamedText[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    const added: string[] = [];
    for (const { sha256, text } of texts) {
      if (this.known.has(sha256)) continue;
      const content = text();
      if (content.length > LIMITS.text) throw tooLarge("a text", content.length, LIMITS.text);
      this.known.add(sha256);
      pipeline.set(keys.text(sha256), content, "EX", KEPT_SECONDS);
      added.push(sha256);
    }
    if (added.length === 0) return;
    const replies = (await pipeline.exec()) ?? [];
    const failed = replies.find(([error]) => error !== null)?.[0];
    if (!failed) return;
    for (const sha256 of added) this.known.delete(sha256);
    throw failed;
  }

  /** @throws MissingContentError, QueueError when what is there has another hash. */
  async texts(hashes: readonly string[]): Promise<string[]> {
    if (hashes.length === 0) return [];
    const found = await this.redis.mget(hashes.map((hash) => keys.text(hash)));
    return hashes.map((hash, i) => {
      const text = found[i];
      if (typeof text !== "string") throw missing("a text", hash);
      if (digest(text) !== hash) throw otherContent("a text", hash);
      return text;
    });
  }

  /** Puts a file in chunks, unless it is there already. */
  putFile(path: string, sha256: string): Promise<void> {
    const known = this.knownFiles.get(sha256);
    if (known) return known;
    const put = this.putMissing(path, sha256);
    this.knownFiles.set(sha256, put);
    put.catch(() => this.knownFiles.delete(sha256));
    return put;
  }

  /**
   * The path of a file's copy in a folder, fetched where it is not there yet.
   * @throws MissingContentError, QueueError when what arrives has another hash; FileError.
   */
  async fetchFile(sha256: string, folder: string): Promise<string> {
    const path = join(folder, `${sha256}.gguf`);
    if ((await exists(path)) && (await sha256File(path)) === sha256) return path;
    const text = await this.redis.get(keys.file(sha256));
    if (text === null) throw missing("a file", sha256);
    const { bytes, chunks } = checked(fileSchema, JSON.parse(text), "a file's size");
    await ensureFolder(folder);
    await writeFileAtomic(
      path,
      async (handle) => {
        const hash = createHash("sha256");
        let length = 0;
        for (let at = 0; at < chunks; at++) {
          const chunk = await this.redis.getBuffer(keys.chunk(sha256, at));
          if (chunk === null) throw missing("a file", sha256);
          length += chunk.byteLength;
          if (length > bytes) throw otherContent("a file", sha256);
          hash.update(chunk);
          await handle.appendFile(chunk);
        }
        if (hash.digest("hex") !== sha256) throw otherContent("a file", sha256);
      },
      { overwrite: true },
    );
    return path;
  }

  /** Forgets what was put: the next put puts it again. */
  forget(): void {
    this.known.clear();
    this.knownFiles.clear();
  }

  /** Removes from Redis what this store has put. Another run that still needs it puts it again. */
  async removeAll(): Promise<void> {
    const [texts, files] = [[...this.known], [...this.knownFiles.keys()]];
    this.forget();
    for (let at = 0; at < texts.length; at += 1000) {
      await this.redis.unlink(...texts.slice(at, at + 1000).map((hash) => keys.text(hash)));
    }
    for (const hash of files) await this.removeFile(hash);
  }

  private async removeFile(hash: string): Promise<void> {
    const text = await this.redis.getdel(keys.file(hash));
    if (text === null) return;
    const { chunks } = checked(fileSchema, JSON.parse(text), "a file's size");
    for (let at = 0; at < chunks; at++) await this.redis.unlink(keys.chunk(hash, at));
  }

  private async putMissing(path: string, sha256: string): Promise<void> {
    if ((await this.redis.expire(keys.file(sha256), KEPT_SECONDS)) === 1) return;
    if ((await sha256File(path)) !== sha256) throw otherContent(path, sha256);
    await withFileSource(path, async (source) => {
      const chunks = Math.ceil(source.size / LIMITS.chunk);
      for (let at = 0; at < chunks; at++) {
        const start = at * LIMITS.chunk;
        const bytes = await source.read(start, Math.min(LIMITS.chunk, source.size - start));
        await this.redis.set(keys.chunk(sha256, at), bytes, "EX", 2 * KEPT_SECONDS);
      }
      // Last: whoever sees it finds all chunks.
      const size = JSON.stringify({ bytes: source.size, chunks });
      await this.redis.set(keys.file(sha256), size, "EX", KEPT_SECONDS);
    });
  }
}

function missing(what: string, hash: string): MissingContentError {
  return new MissingContentError({ what: `${what} that a job names is not in Redis any more`, actual: hash });
}

function otherContent(what: string, hash: string): QueueError {
  return new QueueError({ what: `${what} is not what its hash says`, expected: hash });
}
