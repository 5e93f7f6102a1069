import { isPythonSpace, splitAtSpaces, withoutLeadingSpaces, withoutTrailingSpaces } from "./python-space.js";
import { notNumeric, punctuation, symbol } from "./unicode-classes.js";

/** Names of the tokenizers, as in sacreBLEU's signatures. */
export type BleuTokenizer = "13a" | "zh" | "intl" | "char" | "none";

/**
 * The tokenizers of sacreBLEU 2.6.0 that need no model: a text to its tokens, none of them empty. As in BLEU, whitespace at the text's end
 * is taken off first (it decides for 13a whether "-" there is a hyphenation, for intl whether a last full stop is split off).
 *
 * - `13a`: WMT's mteval-v13a, for languages written with spaces; the default
 * - `zh`: each Chinese character by itself, the rest nearly as 13a; kana and Hangul are not split
 * - `intl`: mteval-v14 with international tokenization: splits at all punctuation and symbols of Unicode but for those between digits
 * - `char`: each code point by itself
 * - `none`: splits at whitespace only
 *
 * Source: sacrebleu/tokenizers/tokenizer_{13a,re,zh,intl,char,none}.py.
 */
export const bleuTokenizers: Readonly<Record<BleuTokenizer, (text: string) => readonly string[]>> = {
  "13a": (text) => tokenize13a(withoutTrailingSpaces(text)),
  zh: (text) => tokenizeZh(withoutTrailingSpaces(text)),
  intl: (text) => tokenizeIntl(withoutTrailingSpaces(text)),
  char: (text) => Array.from(text).filter((character) => !isPythonSpace(character.charCodeAt(0))),
  none: splitAtSpaces,
};

function tokenize13a(text: string): readonly string[] {
  let line = text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  // One after the other, so that "&amp;lt;" becomes "<".
  line = line.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
  return splitWestern(` ${line} `);
}

// The patterns are matched by code unit: none holds a surrogate, so that a pair is never torn.
/** ASCII punctuation but for ' , - and the full stop; and the space. */
const asciiPunctuation = /[{-~[-` -&(-+:-@/]/g;
const stopAfterNonDigit = /([^0-9])([.,])/g;
const stopBeforeNonDigit = /([.,])([^0-9])/g;
const dashAfterDigit = /([0-9])(-)/g;

/** The rules that 13a and zh share. Source: tokenizer_re.py. */
function splitWestern(line: string): readonly string[] {
  return splitAtSpaces(
    line
      .replace(asciiPunctuation, " $& ")
      .replace(stopAfterNonDigit, "$1 $2 ")
      .replace(stopBeforeNonDigit, " $1 $2")
      .replace(dashAfterDigit, "$1 $2 "),
  );
}

/**
 * What zh takes for a Chinese character, as ranges of code units, both ends included. Upstream means two of its ranges to be CJK
 * Extension B (20000-2A6D6) and the Compatibility Supplement, but Python reads "\u20000" as U+2000 and the digit 0. So they are
 * U+2001-2A6D, with dashes, curly quotes, arrows and mathematics, and U+2F81-2FA1, a part of the Kangxi radicals.
 */
const chineseRanges: readonly (readonly [first: number, last: number])[] = [
  [0x2001, 0x2a6d],
  [0x2e80, 0x2fdf], // CJK Radicals Supplement, Kangxi Radicals
  [0x2ff0, 0x303f], // Ideographic Description Characters, CJK Symbols and Punctuation
  [0x3100, 0x312f], // Bopomofo
  [0x31a0, 0x31bf], // Bopomofo Extended
  [0x31c0, 0x31ef], // CJK Strokes
  [0x3200, 0x33ff], // Enclosed CJK Letters and Months, CJK Compatibility
  [0x3400, 0x4db5], // CJK Extension A as of Unicode 3.0
  [0x4e00, 0x9fbb], // CJK Unified Ideographs as of Unicode 4.1
  [0xf900, 0xfa2d], // CJK Compatibility Ideographs as of Unicode 1.1 to 4.1, up to U+FAD9
  [0xfa30, 0xfa6a],
  [0xfa70, 0xfad9],
  [0xfe10, 0xfe1f], // Vertical Forms
  [0xfe30, 0xfe4f], // CJK Compatibility Forms
  [0xff00, 0xffef], // Halfwidth and Fullwidth Forms
];

const chineseCharacter = new RegExp(
  `[${chineseRanges.map((range) => range.map((code) => String.fromCharCode(code)).join("-")).join("")}]`,
  "g",
);

function tokenizeZh(text: string): readonly string[] {
  return splitWestern(withoutLeadingSpaces(text).replace(chineseCharacter, " $& "));
}

const punctuationAfterNonNumeric = new RegExp(`(${notNumeric})(${punctuation})`, "gu");
const punctuationBeforeNonNumeric = new RegExp(`(${punctuation})(${notNumeric})`, "gu");
const anySymbol = new RegExp(symbol, "gu");

function tokenizeIntl(text: string): readonly string[] {
  return splitAtSpaces(
    text
      .replace(punctuationAfterNonNumeric, "$1 $2 ")
      .replace(punctuationBeforeNonNumeric, " $1 $2")
      .replace(anySymbol, " $& "),
  );
}
