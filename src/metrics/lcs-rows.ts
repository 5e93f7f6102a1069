/**
 * Rows of the table of longest common subsequences, as bits (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004). With
 * `t[i][j]` the length for the first i tokens of the reference and the first j of the candidate, row j has a bit for each i >= 1, at
 * index i - 1: 0 where `t[i][j]` is `t[i-1][j] + 1`, 1 where the two are equal. 32 indexes make a word, lowest bit first.
 */

/** Where each token stands in the reference: of token `t`, the entries from `starts[t]` to `starts[t + 1]` exclusive. */
export interface TokenPositions {
  /** Words in a row. */
  readonly width: number;
  readonly starts: Int32Array;
  /** Word of each entry, rising within a token. */
  readonly words: Int32Array;
  /** Bits of each entry within its word. */
  readonly masks: Int32Array;
}

/** Positions in a reference whose tokens are whole numbers from 0 to `vocabularySize` exclusive. */
export function tokenPositions(reference: Int32Array, vocabularySize: number): TokenPositions {
  const starts = new Int32Array(vocabularySize + 1);
  const latest = new Int32Array(vocabularySize).fill(-1);
  reference.forEach((token, index) => {
    if (latest[token] === index >> 5) return;
    latest[token] = index >> 5;
    starts[token + 1] = (starts[token + 1] ?? 0) + 1;
  });
  for (let t = 0; t < vocabularySize; t++) starts[t + 1] = (starts[t + 1] ?? 0) + (starts[t] ?? 0);
  const words = new Int32Array(starts[vocabularySize] ?? 0);
  const masks = new Int32Array(words.length);
  latest.fill(-1);
  reference.forEach((token, index) => {
    let entry = latest[token] ?? -1;
    if (entry < 0) entry = starts[token] ?? 0;
    else if (words[entry] !== index >> 5) entry += 1;
    latest[token] = entry;
    words[entry] = index >> 5;
    masks[entry] = (masks[entry] ?? 0) | (1 << (index & 31));
  });
  return { width: (reference.length + 31) >> 5, starts, words, masks };
}

/** Row 0: no token of the candidate seen, every length 0. */
export function firstRow(width: number): Int32Array {
  return new Int32Array(width).fill(-1);
}

/**
 * Turns the row before a token of the candidate into the row after it: row + (row & mask) | row & ~mask over all words. Only words in
 * which the token occurs or into which a carry runs change, so only those are touched.
 */
export function advanceRow(row: Int32Array, { width, starts, words, masks }: TokenPositions, token: number): void {
  const end = starts[token + 1] ?? 0;
  let carry = 0;
  let next = 0;
  for (let entry = starts[token] ?? 0; entry < end; entry++) {
    const word = words[entry] ?? 0;
    if (carry === 1) carry = addCarry(row, next, word);
    const bits = row[word] ?? 0;
    const mask = masks[entry] ?? 0;
    const matched = bits & mask;
    const sum = (bits + matched + carry) | 0;
    // Out of the top bit: set in both summands, or set in one and lost in the sum.
    carry = (matched | (bits & ~sum)) >>> 31;
    row[word] = sum | (bits & ~mask);
    next = word + 1;
  }
  if (carry === 1) addCarry(row, next, width);
}

/** Adds a carry into words without a match, up to `end` exclusive; returns the carry out of them. */
function addCarry(row: Int32Array, start: number, end: number): number {
  for (let word = start; word < end; word++) {
    const bits = row[word] ?? 0;
    row[word] = bits | (bits + 1);
    if (bits !== -1) return 0;
  }
  return 1;
}
