import { at, defined } from "../assert.js";
import { charactersBetween, literal, shorthandSet, type CharacterFlags } from "./python-characters.js";

/** Flags of Python's `re` that decide how a part of an expression is read. */
interface Flags extends CharacterFlags {
  /** `m`: ^ and $ also at line breaks. */
  readonly multiline: boolean;
  /** `s`: a dot is also a line break. */
  readonly dotAll: boolean;
  /** `x`: white space and comments mean nothing. */
  readonly verbose: boolean;
}

const NO_FLAGS: Flags = { ignoreCase: false, multiline: false, dotAll: false, verbose: false, ascii: false };
const FLAG_NAMES: Readonly<Record<string, keyof Flags | "none">> = {
  ...{ i: "ignoreCase", m: "multiline", s: "dotAll", x: "verbose", a: "ascii" },
  ...{ u: "none" },
};

const START = "(?<![\\s\\S])";
const END = "(?![\\s\\S])";
/** Escapes of one character. Source: docs.python.org/3/library/re.html. */
const CHARACTER_ESCAPES: Readonly<Record<string, string>> = { a: "\x07", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
/**
 * A regular expression of Python's `re` as JavaScript's, with the same meaning: `(?i)`, `(?P<name>...)`, `(?P=name)`, `\A`, `\Z`, `\_`,
 * possessive repetition, comments, `$` before a last line break, and \w, \d and \s over Unicode.
 * @param anchor `match` begins at the start, as `re.match`; `fullmatch` also ends at the end.
 * @throws SyntaxError that says what Python would not read, or the one thing that has no counterpart: `(?(1)a|b)`.
 */
export function pythonExpression(source: string, anchor: "match" | "fullmatch"): RegExp {
  // Flags may stand anywhere in the expression and hold for all of it.
  const first = new Translation(source, NO_FLAGS);
  first.whole();
  const translated = new Translation(source, { ...NO_FLAGS, ...first.globalFlags }).whole();
  return new RegExp(`${START}(?:${translated})${anchor === "fullmatch" ? END : ""}`, "v");
}

/** One pass over an expression, from its first character to its last. */
class Translation {
  readonly globalFlags: Partial<Record<keyof Flags, boolean>> = {};
  private readonly characters: readonly string[];
  private position = 0;
  /** Names in JavaScript of Python's numbered groups: all of them get one, because atomic parts become groups too and shift the numbers. */
  private readonly groups: string[] = [];
  private atomicCount = 0;

  constructor(
    source: string,
    private readonly flags: Flags,
  ) {
    this.characters = Array.from(source);
  }

  whole(): string {
    const translated = this.alternatives(this.flags);
    if (this.position < this.characters.length) throw new SyntaxError("unbalanced parenthesis");
    return translated;
  }

  private peek(ahead = 0): string {
    return this.characters[this.position + ahead] ?? "";
  }

  private take(): string {
    const character = this.characters[this.position++];
    if (character === undefined) throw new SyntaxError("unexpected end of the expression");
    return character;
  }

  private accept(text: string): boolean {
    const wanted = Array.from(text);
    if (!wanted.every((character, i) => this.peek(i) === character)) return false;
    this.position += wanted.length;
    return true;
  }

  private until(end: string): string {
    let text = "";
    while (!this.accept(end)) text += this.take();
    return text;
  }

  private alternatives(flags: Flags): string {
    let translated = this.sequence(flags);
    while (this.accept("|")) translated += `|${this.sequence(flags)}`;
    return translated;
  }

  private sequence(flags: Flags): string {
    let translated = "";
    this.skipComments(flags);
    while (this.position < this.characters.length && this.peek() !== "|" && this.peek() !== ")") {
      const atom = this.atom(flags);
      this.skipComments(flags);
      translated += this.repeated(atom);
      this.skipComments(flags);
    }
    return translated;
  }

  /** Passes `(?#...)`, and with the flag `x` white space and what follows a `#`. */
  private skipComments({ verbose }: Flags): void {
    for (;;) {
      if (this.accept("(?#")) this.until(")");
      else if (verbose && /\s/.test(this.peek())) this.position++;
      else if (verbose && this.accept("#")) while (this.peek() !== "" && this.take() !== "\n");
      else return;
    }
  }

  /** What follows an atom: how often it is repeated, lazily or for good. */
  private repeated(atom: string): string {
    const repeat = this.quantifier();
    if (repeat === undefined) return atom;
    // A look-around or an anchor may be repeated in Python.
    const repeatable = `(?:${atom})${repeat}`;
    if (this.accept("?")) return `${repeatable}?`;
    if (this.accept("+")) return this.atomic(repeatable);
    if (this.quantifier() !== undefined) throw new SyntaxError("multiple repeat");
    return repeatable;
  }

  private quantifier(): string | undefined {
    for (const sign of ["*", "+", "?"]) if (this.accept(sign)) return sign;
    const rest = this.characters.slice(this.position, this.position + 24).join("");
    const [all, least = "", comma, most = ""] = /^\{(\d*)(,?)(\d*)\}/.exec(rest) ?? [];
    if (all === undefined || (least === "" && comma === "") || all === "{,}") return undefined;
    this.position += all.length;
    if (most !== "" && Number(most) < Number(least)) throw new SyntaxError("min repeat greater than max repeat");
    return `{${least === "" ? "0" : least}${comma ?? ""}${most}}`;
  }

  /** What was matched stays matched: a look-ahead never backtracks into itself. */
  private atomic(translated: string): string {
    const name = `atomic_${++this.atomicCount}`;
    return `(?=(?<${name}>${translated}))\\k<${name}>`;
  }

  private atom(flags: Flags): string {
    const character = this.take();
    switch (character) {
      case "(":
        return this.group(flags);
      case "[":
        return this.characterClass(flags);
      case "\\":
        return this.escape(flags);
      case ".":
        return flags.dotAll ? "[\\s\\S]" : "[^\\n]";
      case "^":
        return flags.multiline ? "(?<![^\\n])" : START;
      case "$":
        return flags.multiline ? "(?![^\\n])" : `(?=\\n?${END})`;
      case "*":
      case "+":
      case "?":
        throw new SyntaxError("nothing to repeat");
      default:
        return literal(character, flags);
    }
  }

  private group(flags: Flags): string {
    if (!this.accept("?")) return this.capture(undefined, flags);
    if (this.accept("P<")) return this.capture(this.until(">"), flags);
    if (this.accept("P=")) return this.reference(groupName(this.until(")")), flags);
    for (const kind of [":", "=", "!", "<=", "<!"]) {
      if (this.accept(kind)) return `(?${kind}${this.inner(flags)})`;
    }
    if (this.accept(">")) return this.atomic(this.inner(flags));
    if (this.peek() === "(") throw new SyntaxError("a condition on a group, (?(1)...), is not supported");
    return this.flagGroup(flags);
  }

  private inner(flags: Flags): string {
    const translated = this.alternatives(flags);
    if (!this.accept(")")) throw new SyntaxError("missing ), unterminated subpattern");
    return translated;
  }

  private capture(name: string | undefined, flags: Flags): string {
    if (name !== undefined && !/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) {
      throw new SyntaxError(`bad character in group name '${name}'`);
    }
    const group = name === undefined ? `number_${this.groups.length + 1}` : groupName(name);
    if (this.groups.includes(group)) throw new SyntaxError(`redefinition of group name '${name ?? ""}'`);
    this.groups.push(group);
    return `(?<${group}>${this.inner(flags)})`;
  }

  /** `(?i)` for the whole expression, or `(?i-s:...)` for what is in it. */
  private flagGroup(flags: Flags): string {
    const changed: Partial<Record<keyof Flags, boolean>> = {};
    let value = true;
    for (let character = this.take(); character !== ")" && character !== ":"; character = this.take()) {
      const flag = FLAG_NAMES[character];
      if (character === "-") value = false;
      else if (flag === undefined) throw new SyntaxError(`unknown extension ?${character}`);
      else if (flag !== "none") changed[flag] = value;
    }
    if (at(this.characters, this.position - 1) === ":") return `(?:${this.inner({ ...flags, ...changed })})`;
    if (!value) throw new SyntaxError("missing :");
    Object.assign(this.globalFlags, changed);
    return "(?:)";
  }

  private reference(group: string | undefined, { ignoreCase }: Flags): string {
    if (group === undefined || !this.groups.includes(group)) {
      throw new SyntaxError("a reference to a group that is not there");
    }
    if (ignoreCase) throw new SyntaxError("a reference to a group where case does not count is not supported");
    return `\\k<${group}>`;
  }

  private escape(flags: Flags): string {
    const character = this.take();
    const set = shorthandSet(character, flags);
    if (set !== undefined) return set;
    const word = defined(shorthandSet("w", flags), "the set of \\w");
    switch (character) {
      case "A":
        return START;
      case "Z":
      case "z":
        return END;
      case "b":
        return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
      case "B":
        return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`;
    }
    if (/[1-9]/.test(character)) {
      let digits = character;
      if (/\d/.test(this.peek())) digits += this.take();
      return this.reference(this.groups[Number(digits) - 1], flags);
    }
    return literal(this.escapedCharacter(character), flags);
  }

  /** The character that an escape stands for, in a class and outside one. */
  private escapedCharacter(character: string): string {
    const known = CHARACTER_ESCAPES[character];
    if (known !== undefined) return known;
    const digits = { x: 2, u: 4, U: 8 }[character];
    if (digits !== undefined) {
      const hexadecimal = Array.from({ length: digits }, () => this.take()).join("");
      const code = /^[0-9a-f]+$/i.test(hexadecimal) ? Number.parseInt(hexadecimal, 16) : Infinity;
      if (code > 0x10ffff) throw new SyntaxError(`incomplete escape \\${character}${hexadecimal}`);
      return String.fromCodePoint(code);
    }
    if (character === "0") {
      let octal = "";
      while (octal.length < 2 && /[0-7]/.test(this.peek())) octal += this.take();
      return String.fromCodePoint(Number.parseInt(`0${octal}`, 8));
    }
    if (/[A-Za-z0-9]/.test(character)) throw new SyntaxError(`bad escape \\${character}`);
    return character;
  }

  private characterClass(flags: Flags): string {
    const isNegated = this.accept("^");
    const members: string[] = [];
    for (let first = true; first || this.peek() !== "]"; first = false) {
      const low = this.member(flags);
      if (this.peek() !== "-" || this.peek(1) === "]" || this.peek(1) === "") {
        members.push(low.character === undefined ? low.set : charactersBetween(low.character, low.character, flags));
        continue;
      }
      this.position++;
      const high = this.member(flags);
      if (low.character === undefined || high.character === undefined) throw new SyntaxError("bad character range");
      members.push(charactersBetween(low.character, high.character, flags));
    }
    this.position++;
    return `[${isNegated ? "^" : ""}${members.join("")}]`;
  }

  /** One character of a class, or a set such as \d. */
  private member(flags: Flags): { readonly character: string | undefined; readonly set: string } {
    const character = this.take();
    if (character !== "\\") return { character, set: "" };
    const escaped = this.take();
    const set = shorthandSet(escaped, flags);
    if (set !== undefined) return { character: undefined, set };
    return { character: escaped === "b" ? "\b" : this.escapedCharacter(escaped), set: "" };
  }
}

/** The name that a named group of Python has in the translation; unnamed ones are called otherwise. */
export function groupName(name: string): string {
  return `named_${name}`;
}
