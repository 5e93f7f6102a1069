/** Tokens after which the window over the answer moves on, and how many of them stay as context of the next ones. */
const WINDOW = { most: 64, kept: 16 } as const;
/** Characters that the kept tokens must have, so that no rule of the detokenizer looks further back. */
const LEAST_KEPT_TEXT = 8;
/**
 * The end of a text that the next token may still change: the half of a character, and what llama.cpp's clean-up of spaces looks at
 * (" ." becomes ".", " 's" becomes "'s"). Source: llama_vocab::impl::detokenize.
 */
const UNSETTLED = /(?:[ ']*'[rv]|[ ']*)\uFFFD?$/;

/** Turns tokens into text as they come, without ever taking a character back. */
export class AnswerText {
  private window: number[] = [];
  /** Characters of the window's text that were handed on. */
  private taken = 0;
  /** Settled text that may be the beginning of a stop string. */
  private held = "";
  private stopped = false;

  /** @param detokenize text of tokens; its halves of characters are U+FFFD. @param stop strings that end the text; they are cut off. */
  constructor(
    private readonly detokenize: (tokens: readonly number[]) => string,
    private readonly stop: readonly string[],
  ) {}

  /** Takes the next token and returns the text that is sure by now; `stopped` once a stop string has come. */
  push(token: number): { readonly text: string; readonly stopped: boolean } {
    this.window.push(token);
    const text = this.detokenize(this.window);
    const settled = text.length - (UNSETTLED.exec(text)?.[0].length ?? 0);
    const fresh = text.slice(this.taken, settled);
    this.taken = Math.max(this.taken, settled);
    if (this.window.length >= WINDOW.most) this.moveWindow(text);
    return { text: this.release(fresh), stopped: this.stopped };
  }

  /** The rest of the text, when no token comes any more. */
  finish(): string {
    if (this.stopped) return "";
    return this.release(this.detokenize(this.window).slice(this.taken)) + this.held;
  }

  private release(fresh: string): string {
    const text = this.held + fresh;
    const found = this.stop.map((string) => text.indexOf(string)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      this.held = "";
      return text.slice(0, Math.min(...found));
    }
    const kept = Math.max(0, ...this.stop.map((string) => overlap(text, string)));
    this.held = text.slice(text.length - kept);
    return text.slice(0, text.length - kept);
  }

  /** Long answers would be detokenised from their start at every token; the last tokens are enough where they give the same end. */
  private moveWindow(text: string): void {
    const kept = this.window.slice(-WINDOW.kept);
    const end = this.detokenize(kept);
    if (this.taken < text.length || end.length < LEAST_KEPT_TEXT || !text.endsWith(end)) return;
    this.window = kept;
    this.taken = end.length;
  }
}

/** Length of the longest end of `text` that `string` begins with, without being all of it. */
function overlap(text: string, string: string): number {
  for (let length = Math.min(text.length, string.length - 1); length > 0; length--) {
    if (text.endsWith(string.slice(0, length))) return length;
  }
  return 0;
}
