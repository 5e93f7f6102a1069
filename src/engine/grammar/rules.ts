import { at } from "../../assert.js";

/** Ends an alternative in {@link Grammar.symbols}. */
export const END = 0;

/**
 * A context-free grammar over the bytes of UTF-8 text. A symbol above 0 is rule `symbol - 1`, one below 0 is the set of bytes
 * `-symbol - 1`, and {@link END} ends an alternative.
 */
export interface Grammar {
  /** The alternatives of all rules, one after another. */
  readonly symbols: Int32Array;
  /** Where the alternatives of each rule begin in `symbols`. */
  readonly rules: readonly (readonly number[])[];
  /** Position of a sequence that is the whole grammar. */
  readonly start: number;
  /** Bytes that no set tells apart have one class. [256] */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** Whether a set of bytes holds a class, shape [sets, classes]. */
  readonly holds: Uint8Array;
}

/** Symbols in a row. */
export type Sequence = readonly number[];

/** Most symbols of a grammar: some 10 ms of work to build it. */
export const MOST_SYMBOLS = 100_000;

/** No grammar, or one that is too large, can be made of a schema. */
export class GrammarError extends Error {
  override readonly name = "GrammarError";
}

/** Collects rules, and makes a grammar of those that can end. */
export class GrammarBuilder {
  private readonly alternatives: (readonly Sequence[])[] = [];
  private readonly sets: Uint8Array[] = [];
  private readonly setNumbers = new Map<string, number>();
  private size = 0;

  /** A symbol whose alternatives are defined later. */
  reserve(): number {
    this.alternatives.push([]);
    return this.alternatives.length;
  }

  /** @throws GrammarError when the grammar becomes too large. */
  define(symbol: number, alternatives: readonly Sequence[]): void {
    this.size += alternatives.reduce((sum, sequence) => sum + sequence.length + 1, 0);
    if (this.size > MOST_SYMBOLS) {
      throw new GrammarError(`its grammar is beyond the limit of ${MOST_SYMBOLS} symbols`);
    }
    this.alternatives[symbol - 1] = alternatives;
  }

  choice(...alternatives: readonly Sequence[]): number {
    const symbol = this.reserve();
    this.define(symbol, alternatives);
    return symbol;
  }

  /** The symbol of a set of bytes. @param ranges pairs of a first and a last byte, both inclusive. */
  bytes(...ranges: readonly (readonly [first: number, last: number])[]): number {
    const key = ranges.join(";");
    const known = this.setNumbers.get(key);
    if (known !== undefined) return known;
    const set = new Uint8Array(256);
    for (const [first, last] of ranges) set.fill(1, first, last + 1);
    this.sets.push(set);
    this.setNumbers.set(key, -this.sets.length);
    return -this.sets.length;
  }

  /** The bytes of a text, one after another. */
  text(text: string): Sequence {
    return [...new TextEncoder().encode(text)].map((byte) => this.bytes([byte, byte]));
  }

  optional(sequence: Sequence): number {
    return this.choice(sequence, []);
  }

  /** A sequence so many times. @param most undefined for any number. */
  repeat(sequence: Sequence, least: number, most: number | undefined): Sequence {
    const one = this.choice(sequence);
    const must = new Array<number>(least).fill(one);
    if (most === undefined) {
      const more = this.reserve();
      this.define(more, [[one, more], []]);
      return [...must, more];
    }
    let rest: Sequence = [];
    for (let i = least; i < most; i++) rest = [this.optional([one, ...rest])];
    return [...must, ...rest];
  }

  /**
   * Leaves out alternatives without a finite text, so that no answer can walk into one.
   * @throws GrammarError when nothing is left of the start.
   */
  build(start: number): Grammar {
    const finite = this.finiteRules();
    if (!finite[start - 1]) throw new GrammarError("no finite value satisfies it");
    const symbols: number[] = [];
    const rules = this.alternatives.map((alternatives) =>
      alternatives.flatMap((sequence) => {
        if (sequence.some((symbol) => symbol > 0 && !finite[symbol - 1])) return [];
        symbols.push(...sequence, END);
        return [symbols.length - sequence.length - 1];
      }),
    );
    symbols.push(start, END);
    return { symbols: Int32Array.from(symbols), rules, start: symbols.length - 2, ...this.byteClasses() };
  }

  /** Which rules have a finite text: those with an alternative of bytes and of rules that have one. */
  private finiteRules(): boolean[] {
    const finite = this.alternatives.map(() => false);
    const users = new Map<number, { rule: number; missing: number }[]>();
    const found: number[] = [];
    this.alternatives.forEach((alternatives, rule) => {
      for (const sequence of alternatives) {
        const needs = new Set(sequence.filter((symbol) => symbol > 0));
        const user = { rule, missing: needs.size };
        if (needs.size === 0) found.push(rule);
        for (const symbol of needs) {
          const others = users.get(symbol - 1);
          if (others) others.push(user);
          else users.set(symbol - 1, [user]);
        }
      }
    });
    for (let rule = found.pop(); rule !== undefined; rule = found.pop()) {
      if (finite[rule]) continue;
      finite[rule] = true;
      for (const user of users.get(rule) ?? []) {
        user.missing -= 1;
        if (user.missing === 0) found.push(user.rule);
      }
    }
    return finite;
  }

  private byteClasses(): Pick<Grammar, "classOf" | "classes" | "holds"> {
    const numbers = new Map<string, number>();
    const classOf = Uint8Array.from({ length: 256 }, (_, byte) => {
      const signature = this.sets.map((set) => set[byte]).join("");
      const known = numbers.get(signature) ?? numbers.size;
      numbers.set(signature, known);
      return known;
    });
    const classes = numbers.size;
    const holds = new Uint8Array(this.sets.length * classes);
    this.sets.forEach((set, number) => {
      set.forEach((held, byte) => {
        if (held === 1) holds[number * classes + at(classOf, byte)] = 1;
      });
    });
    return { classOf, classes, holds };
  }
}
