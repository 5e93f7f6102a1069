/**
 * What Python's `str.split()` takes for whitespace, as ranges of code units, both ends included. JavaScript's `\s` lacks
 * U+001C-1F and U+0085 and has U+FEFF besides.
 */
const pythonSpaceRanges: readonly (readonly [number, number])[] = [
  [0x09, 0x0d],
  [0x1c, 0x20],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];

const pythonSpaceClass = pythonSpaceRanges
  .map(([first, last]) => `${String.fromCharCode(first)}-${String.fromCharCode(last)}`)
  .join("");
const pythonSpaces = new RegExp(`[${pythonSpaceClass}]+`);

/** Python's `string.punctuation`: every ASCII character that is neither letter, digit, space nor control. */
const asciiPunctuation = /[!-/:-@[-`{-~]/g;

// Python's \w for text is str.isalnum() or "_", which over all code points is [\p{L}\p{N}_]: combining marks are no word
// characters, digits of every script are. JavaScript's own \b knows ASCII only and would cut the "a" off "España".
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/**
 * The answer as the official scripts compare it: lower case, ASCII punctuation deleted (nothing in its place), English
 * articles replaced by a space, split at whitespace and joined with single spaces.
 *
 * Source: `normalize_answer` of SQuAD's evaluate-v1.1.py; evaluate-v2.0.py and hotpot_evaluate_v1.py have the same.
 */
export function normalizeAnswer(text: string): string {
  const withoutArticles = text.toLowerCase().replace(asciiPunctuation, "").replace(articles, " ");
  return withoutArticles
    .split(pythonSpaces)
    .filter((token) => token !== "")
    .join(" ");
}

/** The tokens of a text that {@link normalizeAnswer} returned; none for the empty text. */
export function normalizedTokens(normalized: string): readonly string[] {
  return normalized === "" ? [] : normalized.split(" ");
}
