import { advanceRow, firstRow, tokenPositions, type TokenPositions } from "./lcs-rows.js";

/** Words of table rows to keep at once: 16 MiB. */
const defaultKeptWords = 1 << 22;

/**
 * The length of a longest common subsequence of two token sequences; tokens are whole numbers from 0 to `vocabularySize` exclusive.
 * At worst reference x candidate / 32 steps, far fewer when most tokens are rare; memory grows with the lengths alone.
 */
export function lcsLength(reference: Int32Array, candidate: Int32Array, vocabularySize: number): number {
  const positions = tokenPositions(reference, vocabularySize);
  const row = firstRow(positions.width);
  for (const token of candidate) advanceRow(row, positions, token);
  let length = 0;
  for (const word of row) for (let bits = ~word; bits !== 0; bits &= bits - 1) length += 1;
  return length;
}

/**
 * For each reference, which of its tokens belong to the union of one longest common subsequence with each candidate, as ascending
 * indexes. Which one, where there are several, is decided as rouge_score reads its table from the ends: a match is always taken; else
 * the candidate's last token is dropped if keeping the reference's gives a longer rest, else the reference's.
 *
 * Steps as for {@link lcsLength}, at most twice, for each pair that can add to the union. `keptWords` times 4 bytes bound the memory for
 * table rows up to some 20,000 tokens a side; beyond, it grows with length^1.5.
 *
 * Source: `_union_lcs`, `_lcs_table` and `_backtrack_norec` of rouge_score 0.1.2, rouge_scorer.py.
 */
export function unionsOfLcs(
  references: readonly Int32Array[],
  candidates: readonly Int32Array[],
  vocabularySize: number,
  keptWords = defaultKeptWords,
): readonly (readonly number[])[] {
  const longest = candidates.reduce((length, candidate) => Math.max(length, candidate.length), 0);
  const scratch: ShortScratch = { masks: new Int32Array(vocabularySize), rows: new Int32Array(longest) };
  return references.map((reference) => {
    const union =
      reference.length <= 32
        ? shortUnion(reference, candidates, scratch)
        : longUnion(reference, candidates, tokenPositions(reference, vocabularySize), keptWords);
    return Array.from(reference.keys()).filter((index) => bitAt(union, 0, index) === 1);
  });
}

/** Space for references of one word a row: a mask for each token of the vocabulary, all 0 between uses, and a row for each of a candidate's. */
interface ShortScratch {
  readonly masks: Int32Array;
  readonly rows: Int32Array;
}

function shortUnion(reference: Int32Array, candidates: readonly Int32Array[], scratch: ShortScratch): Int32Array {
  const { masks, rows } = scratch;
  const union = new Int32Array(1);
  reference.forEach((token, index) => (masks[token] = (masks[token] ?? 0) | (1 << index)));
  for (const candidate of candidates) {
    let reachable = 0;
    for (let j = 0; j < candidate.length; j++) reachable |= masks[candidate[j] ?? 0] ?? 0;
    if ((reachable & ~(union[0] ?? 0)) === 0) continue;
    let row = -1;
    for (let j = 0; j < candidate.length; j++) {
      const mask = masks[candidate[j] ?? 0] ?? 0;
      row = (row + (row & mask)) | (row & ~mask);
      rows[j] = row;
    }
    readBack({ reference, candidate, rows, width: 1, union }, 0, reference.length, candidate.length);
  }
  for (const token of reference) masks[token] = 0;
  return union;
}

/**
 * Keeps the rows of one block of a candidate's tokens at a time, and the row in front of each block, from which the block's rows are
 * computed anew when the reading comes to it: twice the steps, but never the whole table in memory.
 */
function longUnion(
  reference: Int32Array,
  candidates: readonly Int32Array[],
  positions: TokenPositions,
  keptWords: number,
): Int32Array {
  const { width } = positions;
  const union = new Int32Array(width);
  let rows = new Int32Array(0);
  for (const candidate of candidates) {
    if (!reachesMore(union, positions, candidate)) continue;
    const block = Math.min(
      candidate.length,
      Math.max(Math.ceil(Math.sqrt(candidate.length)), Math.floor(keptWords / width)),
    );
    const before = rowsBeforeBlocks(candidate, block, positions);
    if (rows.length < block * width) rows = new Int32Array(block * width);
    let i = reference.length;
    let j = candidate.length;
    for (let index = before.length - 1; index >= 0 && i > 0; index--) {
      const start = index * block;
      const row = before[index] ?? firstRow(width);
      for (let k = start; k < j; k++) {
        advanceRow(row, positions, candidate[k] ?? 0);
        rows.set(row, (k - start) * width);
      }
      i = readBack({ reference, candidate, rows, width, union }, start, i, j);
      j = start;
    }
  }
  return union;
}

function rowsBeforeBlocks(candidate: Int32Array, block: number, positions: TokenPositions): Int32Array[] {
  const row = firstRow(positions.width);
  const before = [row.slice()];
  for (let end = block; end < candidate.length; end += block) {
    for (let k = end - block; k < end; k++) advanceRow(row, positions, candidate[k] ?? 0);
    before.push(row.slice());
  }
  return before;
}

/** Whether some token of the candidate stands at an index outside the union: if none does, its subsequence adds nothing. */
function reachesMore(union: Int32Array, { starts, words, masks }: TokenPositions, candidate: Int32Array): boolean {
  for (const token of candidate) {
    const end = starts[token + 1] ?? 0;
    for (let entry = starts[token] ?? 0; entry < end; entry++) {
      if (((masks[entry] ?? 0) & ~(union[words[entry] ?? 0] ?? 0)) !== 0) return true;
    }
  }
  return false;
}

interface Reading {
  readonly reference: Int32Array;
  readonly candidate: Int32Array;
  /** Rows `width` words wide, the first one after the token at index `start` of the candidate. */
  readonly rows: Int32Array;
  readonly width: number;
  /** Gets the bits of the reference's indexes that are read out. */
  readonly union: Int32Array;
}

/**
 * Reads a longest common subsequence back from the first i tokens of the reference and the first j of the candidate, down to `start`
 * tokens of the candidate or none of the reference. Returns the i it ends at.
 */
function readBack(reading: Reading, start: number, i: number, j: number): number {
  const { reference, candidate, rows, width, union } = reading;
  while (i > 0 && j > start) {
    if (reference[i - 1] === candidate[j - 1]) {
      i -= 1;
      j -= 1;
      union[i >> 5] = (union[i >> 5] ?? 0) | (1 << (i & 31));
    } else if (bitAt(rows, (j - 1 - start) * width, i - 1) === 0) {
      // Without a match t[i][j-1] > t[i-1][j] exactly where t[i][j] > t[i-1][j].
      j -= 1;
    } else {
      i -= 1;
    }
  }
  return i;
}

function bitAt(words: Int32Array, offset: number, index: number): number {
  return ((words[offset + (index >> 5)] ?? 0) >>> (index & 31)) & 1;
}
