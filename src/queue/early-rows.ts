import type { Row } from "./messages.js";

/** Answers that are kept. */
const MOST_ROWS = 200_000;

/** Answers to asks that nobody has made yet: those of a run that was broken off. */
export class EarlyRows {
  private readonly rows = new Map<string, Row[]>();
  private count = 0;

  /** Keeps a row; beyond the bound it is let go, and will be asked for again. */
  keep(row: Row): void {
    if (this.count >= MOST_ROWS) return;
    this.count += 1;
    const known = this.rows.get(row.ask);
    if (known) known.push(row);
    else this.rows.set(row.ask, [row]);
  }

  /** Takes what there is for an ask. */
  take(ask: string): readonly Row[] {
    const rows = this.rows.get(ask) ?? [];
    this.rows.delete(ask);
    this.count -= rows.length;
    return rows;
  }
}
