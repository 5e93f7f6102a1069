import { open, truncate, type FileHandle } from "node:fs/promises";
import { z } from "zod";
import { digest } from "../files/digest.js";
import { fileError, FormatError } from "../errors.js";
import { isMissing, LARGEST_BYTES, readWhole } from "../files/read-whole.js";
import { stableJson } from "../files/stable-json.js";
import type { JudgeModel, JudgeReply } from "./judge-model.js";

const rowSchema = z.strictObject({
  /** {@link questionKey}. */
  key: z.string(),
  /** For those who read the file. */
  judge: z.string(),
  text: z.string(),
  cut: z.boolean(),
  usage: z.strictObject({ promptTokens: z.number(), completionTokens: z.number() }).optional(),
});

/** Hash of all that decides a judge's answer: who is asked, where, with which settings, and what. */
export function questionKey(judge: JudgeModel, question: string): string {
  return digest(stableJson([judge.identity, question]));
}

/**
 * The answers of judges by {@link questionKey}, as an append-only JSONL file: each is one line, written in one call as soon as it is
 * there, so that a rerun asks only what is missing. A line that a crash cut off is dropped when the file is opened again. Failures are
 * not kept. Holds no key of any endpoint.
 */
export class JudgeCache {
  private tail: Promise<void> = Promise.resolve();

  private constructor(
    /** Undefined where the answers are kept in memory alone. */
    readonly path: string | undefined,
    private readonly handle: FileHandle | undefined,
    private readonly replies: Map<string, JudgeReply>,
  ) {}

  /** @throws FileError when the file cannot be opened, FormatError when a complete line in it is damaged. */
  static async open(path: string): Promise<JudgeCache> {
    const replies = await readReplies(path);
    const handle = await open(path, "a").catch((cause: unknown) => {
      throw fileError(path, "write", cause);
    });
    return new JudgeCache(path, handle, replies);
  }

  /** A cache that lasts as long as the process. */
  static inMemory(): JudgeCache {
    return new JudgeCache(undefined, undefined, new Map());
  }

  get(key: string): JudgeReply | undefined {
    return this.replies.get(key);
  }

  /** Adds an answer unless there is one; resolves when it is in the file. Throws FileError when it cannot be written. */
  add(key: string, judge: string, reply: JudgeReply): Promise<void> {
    const { path, handle } = this;
    if (this.replies.has(key)) return this.tail;
    this.replies.set(key, reply);
    if (path === undefined || handle === undefined) return this.tail;
    this.tail = this.tail.then(async () => {
      await handle.appendFile(`${JSON.stringify({ key, judge, ...reply })}\n`).catch((cause: unknown) => {
        throw fileError(path, "write", cause);
      });
    });
    // Whoever awaits the call sees the failure; nobody may be awaiting yet.
    this.tail.catch(() => undefined);
    return this.tail;
  }

  /** Waits for what is still being written, then closes the file. */
  async close(): Promise<void> {
    try {
      await this.tail;
      await this.handle?.sync();
    } finally {
      await this.handle?.close();
    }
  }
}

async function readReplies(path: string): Promise<Map<string, JudgeReply>> {
  const bytes = await readWhole(path, LARGEST_BYTES).catch((cause: unknown) => {
    if (isMissing(cause)) return Buffer.alloc(0);
    throw cause;
  });
  const complete = bytes.lastIndexOf(0x0a) + 1;
  if (complete < bytes.length) {
    await truncate(path, complete).catch((cause: unknown) => {
      throw fileError(path, "write", cause);
    });
  }
  const lines = bytes.subarray(0, complete).toString("utf8").split("\n").slice(0, -1);
  return new Map(lines.map((line, index) => parseRow(line, path, index + 1)));
}

function parseRow(line: string, path: string, lineNumber: number): [key: string, reply: JudgeReply] {
  try {
    const { key, text, cut, usage } = rowSchema.parse(JSON.parse(line));
    return [key, { text, cut, ...(usage === undefined ? {} : { usage }) }];
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path}: line ${lineNumber} of the judges' answers is damaged`,
      fix: "Delete that line to have its question asked again, or the file to ask everything again.",
      cause,
    });
  }
}
