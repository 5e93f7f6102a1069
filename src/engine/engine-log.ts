/** Lines that are kept. */
const KEPT_LINES = 20;
/** How long the end of a call's lines is waited for, in milliseconds: they come through another pipe than its result. */
const WAIT_MS = 2000;
/** A frame of the backtrace that glibc writes behind the line that says what went wrong: `/lib/libc.so.6(+0x9cb84)[0x7f2400c9cb84]`. */
const FRAME = /^\S+\s?\[0x[0-9a-f]+\]$/;
const MARK = /\[boundary\] call (\d+) (begins|ends)$/;

/** What the engine's process writes to its standard error where a call begins, and where one has failed. */
export function logMark(id: number, what: "begins" | "ends"): string {
  return `[boundary] call ${id} ${what}\n`;
}

/** The standard error of the engine's process, from which the lines of one call can be told. */
export class EngineLog {
  private readonly lines: string[] = [];
  private count = 0;
  private unfinished = "";
  /** For each call under way: how many lines had been written when it began. */
  private readonly beginnings = new Map<number, number>();
  /** Calls whose end was read before it was waited for. */
  private readonly ended = new Set<number>();
  private readonly waiting = new Map<number, () => void>();

  /** A call is made. Until its mark is read, what was read before it counts as older than it. */
  begin(id: number): void {
    this.beginnings.set(id, this.count);
  }

  /** Takes what the process has written; a line may come in parts. */
  add(text: string): void {
    const lines = `${this.unfinished}${text}`.split("\n");
    this.unfinished = lines.pop() ?? "";
    for (const line of lines) this.addLine(line);
  }

  /** Resolves when all is read that the process wrote before a call failed, and soon in any case. */
  async untilEnd(id: number): Promise<void> {
    if (this.ended.delete(id)) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.waiting.set(id, resolve);
      timer = setTimeout(resolve, WAIT_MS);
    });
    clearTimeout(timer);
    this.waiting.delete(id);
  }

  /** Takes the lines of a call that has ended: of those that are kept, what was written since it began. */
  end(id: number): string[] {
    const since = this.count - (this.beginnings.get(id) ?? this.count);
    this.beginnings.delete(id);
    const lines = this.unfinished.trim() === "" ? this.lines : [...this.lines, this.unfinished];
    const own = since + lines.length - this.lines.length;
    return own === 0 ? [] : lines.slice(-own);
  }

  private addLine(line: string): void {
    const mark = MARK.exec(line);
    const text = mark ? line.slice(0, mark.index) : line;
    if (text.trim() !== "" && !FRAME.test(text)) {
      this.count += 1;
      this.lines.push(text);
      this.lines.splice(0, this.lines.length - KEPT_LINES);
    }
    if (!mark) return;
    const id = Number(mark[1]);
    if (mark[2] === "ends") this.endOf(id);
    else if (this.beginnings.has(id)) this.beginnings.set(id, this.count);
  }

  private endOf(id: number): void {
    const resolve = this.waiting.get(id);
    if (resolve) resolve();
    else this.ended.add(id);
  }
}
