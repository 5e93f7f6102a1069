import { z } from "zod";
import type { Answers } from "../choice/scores.js";
import { FormatError } from "../errors.js";
import { JsonlLog } from "../files/jsonl-log.js";

const rowSchema = z.strictObject({
  /** Hash of all that decides the answer: model, adapter, mask, engine, settings and the wave it was generated in. */
  key: z.string(),
  boundary: z.number().int(),
  sampleId: z.string(),
  part: z.enum(["selection", "holdout"]),
  output: z.string(),
  /** Generated token ids, without the end-of-generation token. */
  tokens: z.array(z.number().int()),
  stop: z.enum(["eog", "length", "stop"]),
  promptTokens: z.number().int(),
  prefillMs: z.number(),
  decodeMs: z.number(),
  decodedTokens: z.number().int(),
  /** How probable the first reference is under the candidate. */
  likelihood: z.strictObject({ logProbability: z.number(), tokens: z.number().int().positive() }).optional(),
  /** Nothing was generated: the reference was weighed, and that is all. */
  isWeighed: z.literal(true).optional(),
  /** Who answered, in a run on a queue whose workers may differ. */
  worker: z.string().optional(),
});

/** One answer in the journal. */
export type JournalRow = z.output<typeof rowSchema>;

/** The answers of one candidate as the journal holds them. */
export type JournalledAnswers = Answers<JournalRow>;

/** The file that makes a sweep resumable: an answer a line. */
export class Journal {
  private constructor(
    private readonly log: JsonlLog,
    private readonly rows: Map<string, JournalRow>,
  ) {}

  /** @throws FileError when the file cannot be opened, FormatError when a complete line in it is damaged. */
  static async open(path: string): Promise<Journal> {
    const { log, rows } = await JsonlLog.open(path, (text, line) => parseRow(text, path, line));
    return new Journal(log, byKey(rows));
  }

  /** The rows of a journal that nobody writes to, in the order of the file. @throws as {@link open}. */
  static async read(path: string): Promise<readonly JournalRow[]> {
    return [...byKey(await JsonlLog.read(path, (text, line) => parseRow(text, path, line))).values()];
  }

  get(key: string): JournalRow | undefined {
    return this.rows.get(key);
  }

  /** Adds a row unless its key is there already. Rows are written in the order of the calls. */
  append(row: JournalRow): Promise<void> {
    if (this.rows.has(row.key)) return this.log.append();
    this.rows.set(row.key, row);
    return this.log.append(row);
  }

  /** Waits for what is still being written, then closes the file. */
  close(): Promise<void> {
    return this.log.close();
  }
}

/** An answer and the weighed reference of the same sample in one; the later of two of a kind. */
export function withLikelihood(earlier: JournalRow | undefined, row: JournalRow): JournalRow {
  if (earlier === undefined || earlier.isWeighed === row.isWeighed) return row;
  const [generated, weighed] = row.isWeighed ? [earlier, row] : [row, earlier];
  return { ...generated, likelihood: weighed.likelihood };
}

function byKey(rows: readonly JournalRow[]): Map<string, JournalRow> {
  return new Map(rows.map((row) => [row.key, row]));
}

function parseRow(line: string, path: string, lineNumber: number): JournalRow {
  try {
    return rowSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw new FormatError(path, {
      what: `${path}: line ${lineNumber} of the journal is damaged`,
      fix: "Delete that line to have its answer generated again, or pass --fresh to start over.",
      cause,
    });
  }
}
