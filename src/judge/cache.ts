import { z } from "zod";
import { digest } from "../files/digest.js";
import { FormatError } from "../errors.js";
import { JsonlLog } from "../files/jsonl-log.js";
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
 * The answers of judges by {@link questionKey}, each in the file as soon as it is there, so that a rerun asks only what is missing. Failures are
 * not kept. Holds no key of any endpoint.
 */
export class JudgeCache {
  private constructor(
    /** Undefined where the answers are kept in memory alone. */
    readonly path: string | undefined,
    private readonly log: JsonlLog | undefined,
    private readonly replies: Map<string, JudgeReply>,
  ) {}

  /** @throws FileError when the file cannot be opened, FormatError when a complete line in it is damaged. */
  static async open(path: string): Promise<JudgeCache> {
    const { log, rows } = await JsonlLog.open(path, (text, line) => parseRow(text, path, line));
    return new JudgeCache(path, log, new Map(rows));
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
    const isKnown = this.replies.has(key);
    if (!isKnown) this.replies.set(key, reply);
    return this.log?.append(...(isKnown ? [] : [{ key, judge, ...reply }])) ?? Promise.resolve();
  }

  /** Waits for what is still being written, then closes the file. */
  async close(): Promise<void> {
    await this.log?.close();
  }
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
