import { at } from "../../assert.js";
import { DEAD, type GrammarStates } from "./states.js";

/** The tokens of a vocabulary that stand for text, in the order of their bytes: neighbours share what they begin with. */
export class TokenBytes {
  private readonly ids: Uint32Array;
  /** Bytes of all tokens, those of the i-th from `offsets[i]` (inclusive) to `offsets[i + 1]` (exclusive). */
  private readonly bytes: Uint8Array;
  private readonly offsets: Uint32Array;
  /** How many bytes each token begins with that the one before it begins with too. */
  private readonly shared: Uint16Array;
  private readonly placeOf: Int32Array;
  private readonly longest: number;

  /** @param tokens bytes by token id; an empty list for what stands for no text. */
  constructor(tokens: readonly Uint8Array[]) {
    const order = tokens.flatMap((bytes, id) => (bytes.length > 0 ? [id] : []));
    order.sort((a, b) => Buffer.compare(at(tokens, a), at(tokens, b)));
    const sorted = order.map((id) => at(tokens, id));
    this.ids = Uint32Array.from(order);
    this.bytes = Buffer.concat(sorted);
    this.offsets = new Uint32Array(order.length + 1);
    this.shared = new Uint16Array(order.length);
    this.placeOf = new Int32Array(tokens.length).fill(-1);
    let longest = 0;
    sorted.forEach((bytes, i) => {
      this.offsets[i + 1] = at(this.offsets, i) + bytes.length;
      this.placeOf[at(order, i)] = i;
      longest = Math.max(longest, bytes.length);
      const before = sorted[i - 1] ?? new Uint8Array();
      let same = 0;
      while (same < before.length && same < bytes.length && before[same] === bytes[same]) same++;
      this.shared[i] = same;
    });
    this.longest = longest;
  }

  get vocabulary(): number {
    return this.placeOf.length;
  }

  /** The state after a token's text; {@link DEAD} where the grammar does not take it. */
  after(states: GrammarStates, state: number, token: number): number {
    const place = this.placeOf[token] ?? -1;
    if (place < 0) return DEAD;
    let now = state;
    const end = at(this.offsets, place + 1);
    for (let i = at(this.offsets, place); i < end && now !== DEAD; i++) now = states.after(now, at(this.bytes, i));
    return now;
  }

  /** Which tokens the grammar does not take in a state: 1 for each that it does not. [vocabulary] */
  refused(states: GrammarStates, state: number): Uint8Array {
    const refused = new Uint8Array(this.vocabulary).fill(1);
    const path = new Int32Array(this.longest + 1);
    path[0] = state;
    /** How many bytes of the last token walked can follow. */
    let alive = 0;
    const { ids, bytes, offsets, shared } = this;
    // Up to millions of steps: the checks of at() would take most of their time. Every index comes from the tables' own lengths.
    for (let i = 0; i < ids.length; i++) {
      const from = shared[i] as number;
      if (from > alive) continue;
      const begin = offsets[i] as number;
      const length = (offsets[i + 1] as number) - begin;
      let now = path[from] as number;
      alive = from;
      while (alive < length) {
        now = states.after(now, bytes[begin + alive] as number);
        if (now === DEAD) break;
        path[++alive] = now;
      }
      if (alive === length) refused[ids[i] as number] = 0;
    }
    return refused;
  }
}
