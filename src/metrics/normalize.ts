import { splitAtSpaces } from "./python-space.js";

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
  return splitAtSpaces(withoutArticles).join(" ");
}

/** The tokens of a text that {@link normalizeAnswer} returned; none for the empty text. */
export function normalizedTokens(normalized: string): readonly string[] {
  return normalized === "" ? [] : normalized.split(" ");
}
