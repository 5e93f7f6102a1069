import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fileError, FormatError } from "../errors.js";
import { readOptionalText } from "../files/read-whole.js";
import { systemPattern } from "./vote-pairs.js";

/** Most characters (code points) of a voter's name. */
const LONGEST_NAME = 60;

/** What a voter is called: one line that shows as it is. */
export const voterSchema = z
  .string()
  .trim()
  .normalize("NFC")
  .min(1, "A name is needed.")
  .refine((name) => Array.from(name).length <= LONGEST_NAME, `A name has at most ${LONGEST_NAME} characters.`)
  .refine((name) => !/\p{C}/u.test(name), "A name has no control or invisible characters.");

/** What can be asked beside the preference as a whole. */
export const criterionSchema = z
  .string()
  .regex(/^[a-z][a-z0-9 -]{0,39}$/, "A criterion is a short name in small letters.")
  .refine((name) => name !== "overall", "`overall` is always asked.");

/** Which of the two answers shown is better. */
export const verdictSchema = z.enum(["a", "b", "tie"]);

export type Verdict = z.output<typeof verdictSchema>;

const system = z.string().regex(systemPattern);

const rowSchema = z.strictObject({
  time: z.iso.datetime(),
  voter: voterSchema,
  part: z.enum(["selection", "holdout"]),
  /** Id of the sample, for those who read the file. */
  sample: z.string(),
  /** See {@link VotePair.key}. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /** Whose answers stood as A and B. */
  a: system,
  b: system,
  /** By criterion, the whole as `overall`; empty where the voter skipped the sample. */
  verdicts: z.record(z.string(), verdictSchema),
});

/** One vote. Of several by one voter on one pair, the last counts. */
export type VoteRow = z.output<typeof rowSchema>;

/** The votes of a run. */
export interface Votes {
  /** In the order of the file. */
  readonly rows: readonly VoteRow[];
  /** Lines that a crash cut off. */
  readonly torn: number;
}

/** Where the votes on a run are. */
export function votesPath(folder: string): string {
  return join(folder, "votes.jsonl");
}

/**
 * Reads the votes; a file that is not there has none. What follows the last line break is not yet a vote, and a line that is not JSON is
 * one that a crash cut off: it is counted and left out.
 * @throws FormatError for a line that is JSON and no vote; FileError when the file cannot be read.
 */
export async function readVotes(path: string): Promise<Votes> {
  const text = (await readOptionalText(path)) ?? "";
  const lines = text.split("\n");
  let torn = lines.pop() === "" ? 0 : 1;
  const rows = lines.flatMap((line, i): VoteRow[] => {
    if (line === "") return [];
    const value = parsedJson(line);
    if (value === undefined) torn += 1;
    return value === undefined ? [] : [parsedRow(value, path, i + 1)];
  });
  return { rows, torn };
}

/**
 * Adds a vote and waits until it is on the disk. The line goes out in one write at the end of the file (O_APPEND), which the system places
 * as a whole, so that several processes can vote into one file without a lock. Nothing is ever cut off: another process could be writing
 * there. After a torn line a new one begins.
 * @throws FileError when it cannot be written; the vote does not count then.
 */
export async function appendVote(path: string, row: VoteRow): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "a+");
    const line = Buffer.from(`${(await endsInLine(handle)) ? "" : "\n"}${JSON.stringify(row)}\n`);
    const { bytesWritten } = await handle.write(line);
    if (bytesWritten < line.length) throw new Error(`only ${bytesWritten} of ${line.length} bytes were written`);
    await handle.sync();
  } catch (cause) {
    throw fileError(path, "write", cause);
  } finally {
    await handle?.close();
  }
}

async function endsInLine(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

function parsedJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

function parsedRow(value: unknown, path: string, lineNumber: number): VoteRow {
  const row = rowSchema.safeParse(value);
  if (row.success) return row.data;
  throw new FormatError(path, {
    what: `${path}: line ${lineNumber} is no vote of this version of boundary`,
    fix: "Delete that line to leave it out.",
    cause: row.error,
  });
}
