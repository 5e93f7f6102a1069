import { FormatError } from "../errors.js";
import { printable } from "../files/printable.js";

/** Deepest nesting of a value that is passed over. Headers and indexes need three levels. */
const MAX_DEPTH = 16;
/** Integers up to 2^53 - 1 have at most this many digits. */
const MAX_DIGITS = 16;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Digits, true, false or null; no number that a header needs is longer. */
const word = /[-+.\w]{1,64}/y;

/**
 * Reads JSON piece by piece, in the shape that the caller expects. Unlike JSON.parse it refuses a key that occurs twice in an object,
 * keeps the order of keys, and builds nothing for values that are passed over.
 * Every method throws FormatError where the text is something else.
 */
export class JsonCursor {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly path: string,
    /** What the text is, for messages, such as "the header". */
    private readonly what: string,
  ) {}

  /** Reads an object; `entry` is called behind each key and must read the value. */
  object(entry: (key: string) => void): void {
    const keys = new Set<string>();
    this.items("{", "}", () => {
      const key = this.string();
      if (keys.has(key)) throw this.error(`the key ${printable(key)} occurs twice`);
      keys.add(key);
      this.expect(":");
      entry(key);
    });
  }

  /** Reads an array; `item` is called before each item and must read it. */
  array(item: () => void): void {
    this.items("[", "]", item);
  }

  /** Reads a string of whole characters: unpaired surrogates, which UTF-8 cannot hold, are refused. */
  string(): string {
    this.skipSpace();
    const start = this.at;
    if (this.text.charCodeAt(start) !== QUOTE) throw this.unexpected("a string");
    let end = start + 1;
    let escaped = false;
    for (; ; end++) {
      const code = this.text.charCodeAt(end);
      if (code === QUOTE) break;
      if (Number.isNaN(code)) throw this.error("a string does not end");
      if (code < 0x20) throw this.error("a string holds a control character");
      if (code === BACKSLASH) {
        escaped = true;
        end++;
      }
    }
    this.at = end + 1;
    return escaped ? this.unescape(this.text.slice(start, end + 1)) : this.text.slice(start + 1, end);
  }

  /** Reads a whole number from 0 to 2^53 - 1, written in digits alone. */
  count(): number {
    const digits = this.word();
    const value = Number(digits);
    if (digits.length <= MAX_DIGITS && /^(0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(value)) return value;
    this.at -= digits.length;
    throw this.unexpected("a whole number from 0 to 2^53 - 1");
  }

  /** Passes over a value of any kind. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) throw this.error(`values are nested deeper than ${MAX_DEPTH} levels`);
    const next = this.peek();
    if (next === "{") {
      this.object(() => {
        this.skip(depth + 1);
      });
    } else if (next === "[") {
      this.array(() => {
        this.skip(depth + 1);
      });
    } else if (next === '"') this.string();
    else this.skipLiteral();
  }

  /** Checks that nothing but white space is left. */
  end(): void {
    if (this.peek() !== "") throw this.unexpected("its end");
  }

  private items(open: string, close: string, item: () => void): void {
    this.expect(open);
    if (this.peek() === close) {
      this.at++;
      return;
    }
    for (;;) {
      item();
      if (this.peek() === close) break;
      this.expect(",");
    }
    this.at++;
  }

  private expect(character: string): void {
    if (this.peek() !== character) throw this.unexpected(JSON.stringify(character));
    this.at++;
  }

  private peek(): string {
    this.skipSpace();
    return this.text.charAt(this.at);
  }

  private skipSpace(): void {
    for (; ; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  private skipLiteral(): void {
    const literal = this.word();
    if (/^(true|false|null|-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?)$/.test(literal)) return;
    this.at -= literal.length;
    throw this.unexpected("a value");
  }

  private word(): string {
    this.skipSpace();
    word.lastIndex = this.at;
    const found = word.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  private unescape(literal: string): string {
    let value: unknown;
    try {
      value = JSON.parse(literal);
    } catch (cause) {
      throw this.error("a string has an escape that JSON does not know", cause);
    }
    if (typeof value === "string" && !/\p{Cs}/u.test(value)) return value;
    throw this.error("a string holds half of a surrogate pair");
  }

  private unexpected(expected: string): FormatError {
    const found = this.text.slice(this.at, this.at + 24);
    return new FormatError(this.path, {
      what: `${this.path}: ${this.what} is wrong at character ${this.at}`,
      actual: found === "" ? "its end" : printable(found),
      expected,
      fix: FIX,
    });
  }

  private error(problem: string, cause?: unknown): FormatError {
    return new FormatError(this.path, {
      what: `${this.path}: ${this.what} is wrong near character ${this.at}: ${problem}`,
      fix: FIX,
      cause,
    });
  }
}

const FIX = "The file is damaged or was written by a faulty tool: fetch or convert it again.";
