import { diffArrays } from "diff";

/** A stretch of a text; `isOwn` where the other text has not got it. */
export interface Stretch {
  readonly text: string;
  readonly isOwn: boolean;
}

/** Two texts of which each knows what the other has not got. */
export interface WordDifferences {
  readonly left: readonly Stretch[];
  readonly right: readonly Stretch[];
}

/** Edits after which two texts have too little in common to show what they share. */
const MOST_EDITS = 400;

const words = new Intl.Segmenter(undefined, { granularity: "word" });

/** What two texts do not share, by whole words as Unicode parts them, so also where no spaces stand between them. White space alone is no difference. */
export function wordDifferences(left: string, right: string): WordDifferences {
  const [a, b] = [wordsOf(left), wordsOf(right)];
  const trimmed = (all: readonly string[]): string[] => all.map((word) => word.trim());
  const changes = diffArrays(trimmed(a), trimmed(b), { maxEditLength: MOST_EDITS }) ?? [
    { count: a.length, removed: true, added: false },
    { count: b.length, removed: false, added: true },
  ];
  const side = (all: readonly string[], other: "added" | "removed", own: "added" | "removed"): Stretch[] => {
    let at = 0;
    const stretches: Stretch[] = [];
    for (const change of changes) {
      if (change[other]) continue;
      const text = all.slice(at, at + change.count).join("");
      at += change.count;
      if (text !== "") stretches.push({ text, isOwn: change[own] });
    }
    return stretches;
  };
  return { left: side(a, "added", "removed"), right: side(b, "removed", "added") };
}

/** White space goes with the word in front of it, so that marks do not break at every space. */
function wordsOf(text: string): string[] {
  const found: string[] = [];
  for (const { segment } of words.segment(text)) {
    const isSpace = segment.trim() === "";
    const last = isSpace ? found.pop() : undefined;
    found.push(`${last ?? ""}${segment}`);
  }
  return found;
}
