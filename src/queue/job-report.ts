import type { Entry, Row } from "./messages.js";

/** Answers go out at the latest so long after the first that waits, in milliseconds, and at so many characters of text. */
const FLUSH_MS = 500;
const FLUSH_CHARACTERS = 1 << 18;

/** What a worker tells of one job: answers in bundles while it works, then the end. */
export class JobReport {
  private rows: Row[] = [];
  private characters = 0;
  private since = 0;
  private tail: Promise<void> = Promise.resolve();
  private failed: unknown;

  constructor(
    private readonly job: string,
    private readonly worker: string,
    private readonly put: (entry: Entry) => Promise<void>,
  ) {}

  row(row: Row): void {
    if (this.rows.length === 0) this.since = performance.now();
    this.rows.push(row);
    // A token takes up to seven characters beside the text.
    this.characters += row.generation.text.length + 7 * row.generation.tokens.length;
    if (this.characters > FLUSH_CHARACTERS || performance.now() - this.since > FLUSH_MS) this.flush();
  }

  /** @throws what Redis answered to any part of the report. */
  async end(end: Pick<Entry, "done" | "failure" | "result">): Promise<void> {
    const rows = this.take();
    await this.tail;
    if (this.failed !== undefined) throw this.failed instanceof Error ? this.failed : new Error("answers were not put");
    await this.put({ job: this.job, worker: this.worker, ...(rows.length > 0 ? { rows } : {}), ...end });
  }

  private flush(): void {
    const rows = this.take();
    this.tail = this.tail
      .then(() => this.put({ job: this.job, worker: this.worker, rows }))
      .catch((error: unknown) => {
        this.failed = error;
      });
  }

  private take(): Row[] {
    const rows = this.rows;
    this.rows = [];
    this.characters = 0;
    return rows;
  }
}
