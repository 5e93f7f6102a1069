/** So many notes of a kind are told each; then only every tenfold. */
const TOLD_EACH = 3;

/** Notes that somebody else can cause as often as he likes. */
export class CountedNotes {
  private readonly counts = new Map<string, number>();

  constructor(private readonly onLine: (line: string) => void) {}

  /** @param kind one of a few that the program knows. */
  note(kind: string, line: string): void {
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    if (count <= TOLD_EACH) this.onLine(line);
    else if (Number.isInteger(Math.log10(count))) this.onLine(`${line} (${count} such so far)`);
  }
}
