/** Place of a character in a text; line and column are 1-based, the column counts UTF-16 units. */
interface TextPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/**
 * Where a text stops being JSON: the first character that cannot stand where it does, or the end of a text that breaks off.
 * `JSON.parse` names a position in some of its messages only.
 */
export function jsonErrorPosition(text: string): TextPosition {
  const offset = firstInvalidOffset(text);
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(0, lineStart).split("\n").length;
  return { offset, line, column: offset - lineStart + 1 };
}

const spaces = /[ \t\n\r]*/y;
const scalars = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escapes = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "end of text";

function firstInvalidOffset(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  let at = 0;
  const afterValue = (): Expected => (open.length > 0 ? "comma or end" : "end of text");
  for (;;) {
    at = endOfMatch(spaces, text, at) ?? at;
    const char = text[at];
    if (char === undefined) return text.length;
    const wantsValue: boolean = expected === "value" || expected === "value or ]";
    const wantsKey: boolean = expected === "key" || expected === "key or }";
    const closes: string = open.at(-1) === "{" ? "}" : "]";
    if (
      char === closes &&
      (expected === "comma or end" || expected === `value or ${char}` || expected === `key or ${char}`)
    ) {
      open.pop();
      expected = afterValue();
      at += 1;
    } else if (wantsValue && (char === "{" || char === "[")) {
      open.push(char);
      expected = char === "{" ? "key or }" : "value or ]";
      at += 1;
    } else if (wantsValue || wantsKey) {
      const end = char === '"' ? stringEnd(text, at) : wantsValue ? endOfMatch(scalars, text, at) : undefined;
      if (end === undefined) return at;
      if (end < 0) return -end;
      at = end;
      expected = wantsKey ? "colon" : afterValue();
    } else if (expected === "colon" && char === ":") {
      expected = "value";
      at += 1;
    } else if (expected === "comma or end" && char === ",") {
      expected = open.at(-1) === "{" ? "key" : "value";
      at += 1;
    } else {
      return at;
    }
  }
}

/** Offset behind the string that begins at `start`, or minus the offset of its first invalid character. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const char = text[at];
    if (char === undefined) return -text.length;
    if (char === '"') return at + 1;
    if (char < " ") return -at;
    if (char !== "\\") {
      at += 1;
      continue;
    }
    const end = endOfMatch(escapes, text, at);
    if (end === undefined) return -at;
    at = end;
  }
}

function endOfMatch(sticky: RegExp, text: string, at: number): number | undefined {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : undefined;
}
