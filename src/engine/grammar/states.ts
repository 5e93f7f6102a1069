import { at, defined } from "../../assert.js";
import { END, GrammarError, type Grammar } from "./rules.js";

/** No text leads on from here. */
export const DEAD = 0;
/** The text may end here, and only end. */
const ACCEPTED = 1;

/**
 * Work that an answer may do at once in its grammar, and what each of its tokens adds to that: about 0.1 s and 2 ms. Ordinary schemas
 * take a tenth of it.
 */
export const GRAMMAR_WORK = { most: 100_000, perToken: 2000 } as const;
/** Sets of stacks that one grammar may come to have: some 50 MB. */
const MOST_SETS = 100_000;
/** Sets beyond which the next answer begins with a fresh grammar. */
const WORN_SETS = 20_000;
/** Levels to which sets of stacks are merged: deeper ones would overflow our own stack. */
const MOST_LEVELS = 1000;

/**
 * A set of stacks of positions in the grammar, as a tree that shares equal parts: `tops[i]` lies upon each of the stacks in the set
 * `below[i]`. Tops are distinct and ascending, so that equal sets are one, however many ways led to them: what is ambiguous costs
 * no more than what is not.
 */
interface StackSet {
  /** Whether the empty stack is one of them: the text may end. */
  readonly accepts: boolean;
  readonly tops: readonly number[];
  readonly below: readonly number[];
  /** The same stacks with every rule on top replaced by what it can begin with. */
  opened: number | undefined;
}

/** What an answer may still do in its grammar. */
export class GrammarBudget {
  private left: number = GRAMMAR_WORK.most;

  nextToken(): void {
    this.left = Math.min(GRAMMAR_WORK.most, this.left + GRAMMAR_WORK.perToken);
  }

  /** @throws GrammarError when nothing is left. */
  spend(work: number): void {
    this.left -= work;
    if (this.left < 0) throw tooAmbiguous();
  }
}

/** Follows texts through a grammar, byte by byte. States are numbers that hold for this object; they are worked out once, when they are needed. */
export class GrammarStates {
  readonly start: number;
  private readonly sets: StackSet[] = [];
  /** By state: the state after a byte of each class, plus 1; 0 where it was not asked for yet. */
  private readonly next: (Int32Array | undefined)[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly openedTops = new Map<number, number>();
  private readonly united = new Map<string, number>();
  private budget = new GrammarBudget();

  /** @throws GrammarError when not even the first state can be worked out within the limits. */
  constructor(private readonly grammar: Grammar) {
    this.intern(false, [], []);
    this.intern(true, [], []);
    this.start = this.open(grammar.start, ACCEPTED);
  }

  /** Whether so much was worked out that another answer had better begin anew. */
  get isWorn(): boolean {
    return this.sets.length > WORN_SETS;
  }

  /** Says at whose expense work is done from now on. */
  chargeTo(budget: GrammarBudget): void {
    this.budget = budget;
  }

  accepts(state: number): boolean {
    return at(this.sets, state).accepts;
  }

  /** The state after a byte. @throws GrammarError when that takes too much work or memory. */
  after(state: number, byte: number): number {
    const { classOf, symbols, holds, classes } = this.grammar;
    // Asked for millions of times a second: the checks of at() would take most of that time.
    const kind = classOf[byte] as number;
    const known = this.next[state]?.[kind] ?? 0;
    if (known > 0) return known - 1;
    const set = at(this.sets, state);
    const found: number[] = [];
    set.tops.forEach((top, i) => {
      const bytes = -at(symbols, top) - 1;
      if (holds[bytes * classes + kind] === 1) found.push(this.open(top + 1, at(set.below, i)));
    });
    const next = this.unite(found, 0);
    (this.next[state] ??= new Int32Array(classes))[kind] = next + 1;
    return next;
  }

  /** The stacks with this position on top of those below, opened until bytes lie on top of each. */
  private open(top: number, below: number): number {
    const symbol = at(this.grammar.symbols, top);
    if (symbol === END) return this.openAll(below);
    if (symbol < 0) return this.intern(false, [top], [below]);
    const key = top * 2 ** 24 + below;
    const known = this.openedTops.get(key);
    if (known !== undefined) return known;
    this.budget.spend(1);
    const isLast = this.grammar.symbols[top + 1] === END;
    const after = isLast ? below : this.intern(false, [top + 1], [below]);
    const opened = this.unite(
      at(this.grammar.rules, symbol - 1).map((begin) => this.open(begin, after)),
      0,
    );
    this.openedTops.set(key, opened);
    return opened;
  }

  private openAll(state: number): number {
    const set = at(this.sets, state);
    if (set.opened !== undefined) return set.opened;
    const parts = set.tops.map((top, i) => this.open(top, at(set.below, i)));
    set.opened = this.unite(set.accepts ? [...parts, ACCEPTED] : parts, 0);
    return set.opened;
  }

  /** The stacks of several sets as one set. */
  private unite(states: readonly number[], level: number): number {
    const distinct = [...new Set(states)].filter((state) => state !== DEAD).sort((a, b) => a - b);
    const [first] = distinct;
    if (first === undefined) return DEAD;
    if (distinct.length === 1) return first;
    if (level > MOST_LEVELS) throw tooAmbiguous();
    const key = distinct.join();
    const known = this.united.get(key);
    if (known !== undefined) return known;
    const belowOf = new Map<number, number[]>();
    for (const { tops, below } of distinct.map((state) => at(this.sets, state))) {
      this.budget.spend(1 + tops.length);
      tops.forEach((top, i) => {
        const others = belowOf.get(top);
        if (others) others.push(at(below, i));
        else belowOf.set(top, [at(below, i)]);
      });
    }
    const tops = [...belowOf.keys()].sort((a, b) => a - b);
    const below = tops.map((top) => this.unite(defined(belowOf.get(top), "what lies below"), level + 1));
    const accepts = distinct.some((state) => at(this.sets, state).accepts);
    const number = this.intern(accepts, tops, below);
    this.united.set(key, number);
    return number;
  }

  private intern(accepts: boolean, tops: readonly number[], below: readonly number[]): number {
    const key = `${accepts ? "+" : ""}${tops.join()}/${below.join()}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    if (this.sets.length >= MOST_SETS) throw tooAmbiguous();
    this.budget.spend(1 + tops.length);
    const number = this.sets.push({ accepts, tops, below, opened: undefined }) - 1;
    this.numbers.set(key, number);
    return number;
  }
}

function tooAmbiguous(): GrammarError {
  return new GrammarError(`it is too ambiguous: its grammar is beyond the limit of ${GRAMMAR_WORK.most} steps`);
}
