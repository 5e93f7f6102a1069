import { porterStem } from "./porter-stemmer.js";

/** A text as ROUGE compares it. */
export interface RougeTokens {
  /** The tokens of each line that has any, in order; lines are what stands between "\n". */
  readonly lines: readonly (readonly string[])[];
  /** The tokens of all lines in order. */
  readonly tokens: readonly string[];
}

/** rouge_score leaves shorter tokens unstemmed, as ROUGE-1.5.5 does. */
const shortestStemmed = 4;

/** Kept tokens take 3 to 14 bytes a character, measured on Node 20: at most some 60 MB. Thousands of summaries fit. */
const maxCachedCharacters = 4_000_000;
const cache = { plain: new Map<string, RougeTokens>(), stemmed: new Map<string, RougeTokens>(), characters: 0 };

/**
 * The tokens of a text: lower case, then the runs of a-z and 0-9; everything else only separates, so a text in another
 * script has no tokens. With the stemmer, tokens of four and more characters become their {@link porterStem}.
 *
 * Results are kept for the four ROUGE types and for the next candidate's same references, up to a bound.
 *
 * Source: rouge_score 0.1.2, tokenize.py and `get_sents` of rouge_scorer.py (`split_summaries=False`).
 */
export function rougeTokens(text: string, stemmer: boolean): RougeTokens {
  const known = stemmer ? cache.stemmed : cache.plain;
  const cached = known.get(text);
  if (cached !== undefined) return cached;
  const fresh = tokenize(text, stemmer);
  if (cache.characters + text.length > maxCachedCharacters) {
    cache.plain.clear();
    cache.stemmed.clear();
    cache.characters = 0;
  }
  if (text.length <= maxCachedCharacters) {
    known.set(text, fresh);
    cache.characters += text.length;
  }
  return fresh;
}

function tokenize(text: string, stemmer: boolean): RougeTokens {
  const lines: string[][] = [];
  for (const line of text.toLowerCase().split("\n")) {
    const words: readonly string[] = line.match(/[a-z0-9]+/g) ?? [];
    if (words.length > 0) lines.push(words.map((word) => (stemmer ? stemmed(word) : word)));
  }
  return { lines, tokens: lines.flat() };
}

function stemmed(word: string): string {
  return word.length < shortestStemmed ? word : porterStem(word);
}
