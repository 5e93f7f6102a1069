import { defined } from "../assert.js";

/** Flags of Python's `re` that decide what a character stands for. */
export interface CharacterFlags {
  /** `i`: letters in either case. */
  readonly ignoreCase: boolean;
  /** `a`: \w, \d, \s and \b know ASCII only. */
  readonly ascii: boolean;
}

/** What \w, \d and \s hold, as members of a class of JavaScript's. */
const CLASSES = {
  unicode: { w: "\\p{L}\\p{N}_", d: "\\p{Nd}", s: "\\s\\u001c-\\u001f\\u0085" },
  ascii: { w: "A-Za-z0-9_", d: "0-9", s: "\\t-\\r\\u0020" },
} as const;
/** Widest range of a class in a part with `(?i:...)` of which each character's other case is added. */
const WIDEST_FOLDED_RANGE = 512;

/** The set of JavaScript's for \w, \d, \s and their opposites; undefined for any other letter. */
export function shorthandSet(letter: string, { ascii }: CharacterFlags): string | undefined {
  const lower = letter.toLowerCase();
  if (lower !== "w" && lower !== "d" && lower !== "s") return undefined;
  return `[${letter === lower ? "" : "^"}${(ascii ? CLASSES.ascii : CLASSES.unicode)[lower]}]`;
}

function codeOf(character: string): number {
  return defined(character.codePointAt(0), "the code point of a character");
}

function escaped(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

/** One character as it stands. */
export function literal(character: string, flags: CharacterFlags): string {
  if (!flags.ignoreCase) return escaped(codeOf(character));
  return `[${charactersBetween(character, character, flags)}]`;
}

/** Members of a class: the characters from `low` to `high`, and their other cases where case does not count. @throws SyntaxError when they are the wrong way round. */
export function charactersBetween(low: string, high: string, { ignoreCase }: CharacterFlags): string {
  const [first, last] = [codeOf(low), codeOf(high)];
  if (last < first) throw new SyntaxError(`bad character range ${low}-${high}`);
  const range = first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`;
  if (!ignoreCase || last - first > WIDEST_FOLDED_RANGE) return range;
  const cases = new Set<string>();
  for (let code = first; code <= last; code++) {
    const character = String.fromCodePoint(code);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      if (Array.from(other).length === 1 && other !== character) cases.add(escaped(codeOf(other)));
    }
  }
  return range + [...cases].join("");
}
