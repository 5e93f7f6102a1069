/** How often each n-gram of one order occurs in a sequence, by the n-gram's number. */
export type NgramCounts = Int32Array;

/**
 * Counts the n-grams of the orders 1 to `maxOrder` of several sequences of symbols (non-negative 32-bit integers). The result has for
 * each order, the lowest first, the counts of each sequence; the sequences share one numbering within an order, so that counts with the
 * same index are of the same n-gram. Time and memory are linear in the summed length, for each order.
 */
export function ngramCounts(sequences: readonly Int32Array[], maxOrder: number): readonly (readonly NgramCounts[])[] {
  const orders: (readonly NgramCounts[])[] = [];
  // For each place the number of the n-gram that begins there: at order 0 they are all the same, empty one.
  const numbers = sequences.map((symbols) => new Int32Array(symbols.length));
  const table = new PairNumbers(sequences.reduce((length, symbols) => length + symbols.length, 0));
  for (let order = 1; order <= maxOrder; order++) {
    table.clear();
    for (const [index, symbols] of sequences.entries()) {
      const starting = numbers[index] ?? new Int32Array();
      for (let start = 0; start < ngramTotal(symbols.length, order); start++) {
        starting[start] = table.numberOf(starting[start] ?? 0, symbols[start + order - 1] ?? 0);
      }
    }
    orders.push(
      numbers.map((starting) => countsOf(starting.subarray(0, ngramTotal(starting.length, order)), table.size)),
    );
  }
  return orders;
}

/** Number of n-grams of that order in a sequence of `length` symbols. */
export function ngramTotal(length: number, order: number): number {
  return Math.max(0, length - order + 1);
}

/** Number of n-grams that two sequences have in common, each as often as both have it. */
export function sharedNgrams(left: NgramCounts, right: NgramCounts): number {
  let shared = 0;
  for (let number = 0; number < left.length; number++) shared += Math.min(left[number] ?? 0, right[number] ?? 0);
  return shared;
}

/** For each n-gram its highest count in any of the sequences. */
export function highestCounts(sequences: readonly NgramCounts[]): NgramCounts {
  const highest = new Int32Array(sequences[0]?.length ?? 0);
  for (const counts of sequences) {
    for (let number = 0; number < counts.length; number++) {
      highest[number] = Math.max(highest[number] ?? 0, counts[number] ?? 0);
    }
  }
  return highest;
}

/** Turns lists of tokens into sequences of symbols, equal tokens into equal symbols across all lists. */
export function tokenSymbols(lists: readonly (readonly string[])[]): readonly Int32Array[] {
  const symbols = new Map<string, number>();
  return lists.map((tokens) => {
    const sequence = new Int32Array(tokens.length);
    for (const [place, token] of tokens.entries()) {
      const symbol = symbols.get(token) ?? symbols.size;
      symbols.set(token, symbol);
      sequence[place] = symbol;
    }
    return sequence;
  });
}

function countsOf(numbers: Int32Array, size: number): NgramCounts {
  const counts = new Int32Array(size);
  for (const number of numbers) counts[number] = (counts[number] ?? 0) + 1;
  return counts;
}

/** Numbers distinct pairs of integers 0, 1, 2, ... as they come: a hash table with linear probing in flat arrays. */
class PairNumbers {
  /** How many pairs have a number. */
  size = 0;
  private readonly mask: number;
  /** For each slot 1 + the number of the pair in it, 0 for none. */
  private readonly slots: Int32Array;
  private readonly firsts: Int32Array;
  private readonly seconds: Int32Array;

  /** For at most `capacity` distinct pairs; at least half of the slots stay free. */
  constructor(capacity: number) {
    const slotCount = 2 ** Math.ceil(Math.log2(2 * capacity + 2));
    this.mask = slotCount - 1;
    this.slots = new Int32Array(slotCount);
    this.firsts = new Int32Array(capacity);
    this.seconds = new Int32Array(capacity);
  }

  numberOf(first: number, second: number): number {
    const { slots, firsts, seconds, mask } = this;
    for (let slot = hashOf(first, second) & mask; ; slot = (slot + 1) & mask) {
      const number = (slots[slot] ?? 0) - 1;
      if (number < 0) {
        slots[slot] = this.size + 1;
        firsts[this.size] = first;
        seconds[this.size] = second;
        this.size += 1;
        return this.size - 1;
      }
      if (firsts[number] === first && seconds[number] === second) return number;
    }
  }

  /** Forgets all pairs. */
  clear(): void {
    this.slots.fill(0);
    this.size = 0;
  }
}

/** A 32-bit mix of two integers, with the multipliers of MurmurHash3's finaliser. */
function hashOf(first: number, second: number): number {
  let hash = Math.imul(first, 0x85ebca6b) + second;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
