import type { Row } from "./messages.js";

/** Answers that are kept. */
const MOST_ROWS = 200_000;

/** Characters and tokens in all of them. */
const MOST_CHARACTERS = 1 << 27;

/** An answer and who gave it. */
export type EarlyRow = Row & { readonly worker: string };

/** Answers to asks that nobody has made yet: those of a run that was broken off. */
export class UnclaimedAnswers {
  private readonly rows = new Map<string, EarlyRow[]>();
  private count = 0;
  private size = 0;

  /** Keeps a row; beyond the bound it is let go, and will be asked for again. */
  keep(row: EarlyRow): void {
    const size = row.generation.text.length + row.generation.tokens.length;
    if (this.count >= MOST_ROWS || this.size + size > MOST_CHARACTERS) return;
    this.count += 1;
    this.size += size;
    const known = this.rows.get(row.ask);
    if (known) known.push(row);
    else this.rows.set(row.ask, [row]);
  }

  /** Takes what there is for an ask. */
  take(ask: string): readonly EarlyRow[] {
    const rows = this.rows.get(ask) ?? [];
    this.rows.delete(ask);
    this.count -= rows.length;
    return rows;
  }
}
