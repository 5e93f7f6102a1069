import { messageOf } from "../errors.js";
import { forTerminal, oneLine } from "../report/paint.js";

/** The only place of the command line that writes to standard output and standard error: what comes from files, workers and engines is escaped here. */

/** Writes a result to standard output, as it is but for control characters. */
export function print(text: string): void {
  process.stdout.write(forTerminal(text));
}

/** Writes a line to standard error: notes, progress, errors. */
export function say(line: string): void {
  process.stderr.write(`${forTerminal(line)}\n`);
}

/** Says what is odd although the work goes on, on one line. */
export function warn(text: string): void {
  say(oneLine(`warning: ${text}`));
}

/** Says what a user should know although nothing is odd, on one line. */
export function note(text: string): void {
  say(oneLine(`note: ${text}`));
}

/** Writes a model's words to standard output: escaped for a terminal, byte for byte into a file or pipe. */
export function printAnswer(text: string): void {
  process.stdout.write(process.stdout.isTTY ? forTerminal(text) : text);
}

/** Replaces the line that a progress bar stands on; the bar is drawn again on the line below. */
export function sayOverBar(line: string): void {
  process.stderr.write(`\r\u001b[K${forTerminal(line)}\n`);
}

/** Where progress bars are drawn: of our own words and figures alone. */
export const barStream: NodeJS.WriteStream = process.stderr;

/** Whether anybody would see a progress bar. */
export function isBarVisible(): boolean {
  return process.stderr.isTTY;
}

/** Whether a terminal reads what we print, or types what we read. */
export function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
}

/**
 * Says what becomes of output that nobody takes. `boundary sweep --json | head` is no failure of ours; a full disk is one. Progress that
 * nobody reads any more does not end the work.
 */
export function followBrokenOutput(): void {
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    const reason = error.code === "ENOSPC" ? "no space left on the disk" : messageOf(error);
    say(`error: cannot write to standard output: ${reason}.`);
    process.exit(1);
  });
}
