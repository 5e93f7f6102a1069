/** A stretch of a text that was made of another: kept, added, or in the other alone. */
export interface Change {
  readonly text: string;
  readonly kind: "same" | "added" | "removed";
}

/** Pairs of words that are compared at most; texts beyond that are told as wholly different, which takes no time. */
const MOST_PAIRS = 4_000_000;

const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

/**
 * What makes `to` of `from`, by whole words as Unicode parts them: a longest common subsequence. White space alone is no difference. The
 * texts that are not removed make `to`, character for character.
 */
export function wordChanges(from: string, to: string): readonly Change[] {
  const [a, b] = [wordsOf(from), wordsOf(to)];
  const [left, right] = [a, b].map((words) => words.map((word) => word.trim())) as [string[], string[]];
  const isSame = (i: number, j: number): boolean => left[i] === right[j];
  let start = 0;
  while (start < a.length && start < b.length && isSame(start, start)) start += 1;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && isSame(endA - 1, endB - 1)) {
    endA -= 1;
    endB -= 1;
  }
  const common = commonLengths(left.slice(start, endA), right.slice(start, endB));
  const changes: Change[] = b.slice(0, start).map((text) => ({ text, kind: "same" }));
  let [i, j] = [start, start];
  while (i < endA || j < endB) {
    const lengthAt = (row: number, column: number): number => common(row - start, column - start);
    if (i < endA && j < endB && isSame(i, j)) {
      changes.push({ text: b[j] ?? "", kind: "same" });
      i += 1;
      j += 1;
    } else if (j >= endB || (i < endA && lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      changes.push({ text: a[i] ?? "", kind: "removed" });
      i += 1;
    } else {
      changes.push({ text: b[j] ?? "", kind: "added" });
      j += 1;
    }
  }
  changes.push(...b.slice(endB).map((text): Change => ({ text, kind: "same" })));
  return joined(changes);
}

/** Length of the longest common subsequence of a[i..] and b[j..], for every i and j. */
function commonLengths(a: readonly string[], b: readonly string[]): (i: number, j: number) => number {
  if (a.length * b.length > MOST_PAIRS) return () => 0;
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  return at;
}

/** White space goes with the word in front of it, so that marks do not break at every space. */
function wordsOf(text: string): string[] {
  const found: string[] = [];
  for (const { segment } of segmenter.segment(text)) {
    const before = segment.trim() === "" ? found.pop() : undefined;
    found.push(`${before ?? ""}${segment}`);
  }
  return found;
}

/** Neighbours of one kind as one; of neighbours that differ, what was removed comes first. */
function joined(changes: readonly Change[]): Change[] {
  const result: Change[] = [];
  let removed = "";
  let added = "";
  const flush = (): void => {
    if (removed !== "") result.push({ text: removed, kind: "removed" });
    if (added !== "") result.push({ text: added, kind: "added" });
    removed = "";
    added = "";
  };
  for (const { text, kind } of changes) {
    if (kind === "removed") removed += text;
    else if (kind === "added") added += text;
    else {
      flush();
      const last = result.at(-1);
      if (last?.kind === "same") result[result.length - 1] = { text: last.text + text, kind };
      else result.push({ text, kind });
    }
  }
  flush();
  return result;
}
