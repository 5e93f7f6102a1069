import { open, truncate, type FileHandle } from "node:fs/promises";
import { z } from "zod";
import type { Answers } from "../choice/scores.js";
import { fileError, FormatError } from "../errors.js";
import { isMissing, LARGEST_BYTES, readWhole } from "../files/read-whole.js";

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
  /** Who answered, in a run on a queue whose workers may differ. */
  worker: z.string().optional(),
});

/** One answer in the journal. */
export type JournalRow = z.output<typeof rowSchema>;

/** The answers of one candidate as the journal holds them. */
export type JournalledAnswers = Answers<JournalRow>;

/**
 * The append-only JSONL file that makes a sweep resumable. Each answer is one line, written whole as soon as it exists.
 * A line that a crash cut off is dropped when the journal is opened again.
 */
export class Journal {
  private tail: Promise<void> = Promise.resolve();
  /** Lines that wait for the write under way to end; one call writes them all. */
  private waiting: string[] = [];
  private next: Promise<void> | undefined;

  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly rows: Map<string, JournalRow>,
  ) {}

  /** @throws FileError when the file cannot be opened, FormatError when a complete line in it is damaged. */
  static async open(path: string): Promise<Journal> {
    const rows = await readRows(path, { mend: true });
    const handle = await open(path, "a").catch((cause: unknown) => {
      throw fileError(path, "write", cause);
    });
    return new Journal(path, handle, rows);
  }

  /** The rows of a journal that nobody writes to, in the order of the file. @throws as {@link open}. */
  static async read(path: string): Promise<readonly JournalRow[]> {
    return [...(await readRows(path, { mend: false })).values()];
  }

  get(key: string): JournalRow | undefined {
    return this.rows.get(key);
  }

  /** Adds a row unless its key is there already. Rows are written in the order of the calls. */
  append(row: JournalRow): Promise<void> {
    if (this.rows.has(row.key)) return this.tail;
    this.rows.set(row.key, row);
    this.waiting.push(`${JSON.stringify(row)}\n`);
    this.next ??= this.tail.then(() => this.writeWaiting());
    this.tail = this.next;
    // Whoever awaits the append sees the failure; nobody may be awaiting yet.
    this.tail.catch(() => undefined);
    return this.tail;
  }

  private async writeWaiting(): Promise<void> {
    const lines = this.waiting;
    this.waiting = [];
    this.next = undefined;
    await this.handle.appendFile(lines.join("")).catch((cause: unknown) => {
      throw fileError(this.path, "write", cause);
    });
  }

  /** Waits for what is still being written, then closes the file. */
  async close(): Promise<void> {
    try {
      await this.tail;
      await this.handle.sync();
    } finally {
      await this.handle.close();
    }
  }
}

async function readRows(path: string, { mend }: { mend: boolean }): Promise<Map<string, JournalRow>> {
  const bytes = await readWhole(path, LARGEST_BYTES).catch((cause: unknown) => {
    if (isMissing(cause)) return Buffer.alloc(0);
    throw cause;
  });
  const complete = bytes.lastIndexOf(0x0a) + 1;
  if (mend && complete < bytes.length) {
    await truncate(path, complete).catch((cause: unknown) => {
      throw fileError(path, "write", cause);
    });
  }
  const rows = new Map<string, JournalRow>();
  // Line by line: all of a large journal is longer than a string may be.
  for (let start = 0, line = 1; start < complete; line++) {
    const end = bytes.indexOf(0x0a, start);
    const row = parseRow(bytes.toString("utf8", start, end), path, line);
    rows.set(row.key, row);
    start = end + 1;
  }
  return rows;
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
