import { open, truncate, type FileHandle } from "node:fs/promises";
import { fileError } from "../errors.js";
import { isMissing, LARGEST_BYTES, readWhole } from "./read-whole.js";

/** Reads a complete line. @param line 1-based. @returns undefined for a line that is left out. */
export type ParseLine<Row> = (text: string, line: number) => Row | undefined;

/**
 * An append-only file with a JSON value a line, each written whole as soon as it is there. A line that a crash cut off is dropped when the file is
 * opened again.
 */
export class JsonlLog {
  private handle: Promise<FileHandle> | undefined;
  private tail: Promise<void> = Promise.resolve();
  /** Lines that wait for the write under way to end; one call writes them all. */
  private waiting: string[] = [];
  private next: Promise<void> | undefined;

  private constructor(private readonly path: string) {}

  /**
   * Opens the file, or makes it with the first row where `isLazy`.
   * @throws FileError when it cannot be read or written; whatever `parse` throws.
   */
  static async open<Row>(
    path: string,
    parse: ParseLine<Row>,
    { isLazy = false }: { readonly isLazy?: boolean } = {},
  ): Promise<{ log: JsonlLog; rows: Row[] }> {
    const rows = await readRows(path, parse, { mend: true });
    const log = new JsonlLog(path);
    if (!isLazy) await log.opened();
    return { log, rows };
  }

  /** The rows of a file that nobody writes to, in its order; of a file that is not there none. @throws as {@link open}. */
  static read<Row>(path: string, parse: ParseLine<Row>): Promise<Row[]> {
    return readRows(path, parse, { mend: false });
  }

  /** Adds rows in the order of the calls; resolves when they are written. @throws FileError when they cannot be. */
  append(...rows: readonly object[]): Promise<void> {
    if (rows.length === 0) return this.tail;
    this.waiting.push(...rows.map((row) => `${JSON.stringify(row)}\n`));
    this.next ??= this.tail.then(() => this.writeWaiting());
    this.tail = this.next;
    // Whoever awaits the append sees the failure; nobody may be awaiting yet.
    this.tail.catch(() => undefined);
    return this.tail;
  }

  /** Waits for what is still being written, then closes the file. */
  async close(): Promise<void> {
    try {
      await this.tail;
      await (await this.handle)?.sync();
    } finally {
      await (await this.handle)?.close();
    }
  }

  private opened(): Promise<FileHandle> {
    return (this.handle ??= open(this.path, "a").catch((cause: unknown) => {
      throw fileError(this.path, "write", cause);
    }));
  }

  private async writeWaiting(): Promise<void> {
    const lines = this.waiting;
    this.waiting = [];
    this.next = undefined;
    const handle = await this.opened();
    await handle.appendFile(lines.join("")).catch((cause: unknown) => {
      throw fileError(this.path, "write", cause);
    });
  }
}

async function readRows<Row>(path: string, parse: ParseLine<Row>, { mend }: { mend: boolean }): Promise<Row[]> {
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
  const rows: Row[] = [];
  // Line by line: all of a large file is longer than a string may be.
  for (let start = 0, line = 1; start < complete; line++) {
    const end = bytes.indexOf(0x0a, start);
    const row = parse(bytes.toString("utf8", start, end), line);
    if (row !== undefined) rows.push(row);
    start = end + 1;
  }
  return rows;
}
