import { at } from "../assert.js";
import { UsageError } from "../errors.js";
import { labelWithOptions, nameWithOptions, type NamedOption } from "./metric-name.js";
import type { Metric } from "./metric.js";
import { ngramCounts, sharedNgrams, tokenSymbols, type NgramCounts } from "./ngram-counts.js";
import { assertReferences } from "./references.js";
import { isPythonSpace, splitAtSpaces } from "./python-space.js";

/** What the value is computed with, apart from the statistics. */
export interface ChrfScoring {
  /** Weight of recall against precision; a whole number, at least 1. */
  readonly beta: number;
  /**
   * How orders come together: false takes the F-score of the mean precision and recall over the orders that both sides have (sacreBLEU's
   * default), true the mean of the orders' F-scores, with 1e-16 for what is missing (chrF++.py, NLTK, Moses).
   */
  readonly epsSmoothing: boolean;
}

/** Options of chrF. sacreBLEU's defaults are orders 6 and 0 (2 for chrF++), beta 2, and false for the rest. */
export interface ChrfOptions extends ChrfScoring {
  /** Highest order of character n-grams, at least 0. */
  readonly characterOrder: number;
  /** Highest order of word n-grams, at least 0: 0 is chrF, 2 is chrF++. */
  readonly wordOrder: number;
  /** Whether both sides are lower-cased first. */
  readonly lowercase: boolean;
  /** Whether whitespace counts among the characters. */
  readonly whitespace: boolean;
}

/** Takes the place of a precision, recall or F-score that is not defined. */
const epsilon = 1e-16;

/** Beyond it n-grams are as long as sentences; it keeps a typing error from running for ever. */
const maxOrder = 100;

/**
 * chrF (Popović 2015) and chrF++ (Popović 2017) as sacreBLEU 2.6.0 computes them, its signature included. Statistics: for each order,
 * characters before words, the n-grams of the output, of the reference, and of both; of the reference with the highest chrF, the first of
 * several. Throws {@link UsageError} for options that are not.
 *
 * Source: sacrebleu/metrics/chrf.py.
 */
export function chrfMetric(options: ChrfOptions): Metric {
  assertOptions(options);
  const { characterOrder, wordOrder, beta, lowercase, whitespace, epsSmoothing } = options;
  const named = namedOptions(options);
  return {
    name: nameWithOptions("chrf", named),
    label: labelWithOptions(
      `chrF${beta}${"+".repeat(wordOrder)}`,
      named.filter(({ key }) => key !== "beta" && key !== "word-order"),
    ),
    signatureParts: [
      ["case", lowercase ? "lc" : "mixed"],
      ["eff", epsSmoothing ? "no" : "yes"],
      ["nc", String(characterOrder)],
      ["nw", String(wordOrder)],
      ["space", whitespace ? "yes" : "no"],
    ],
    isBinary: false,
    statistics: (prediction, references) => bestStatistics(prediction, references, options),
    sampleValue: (statistics) => chrfFromStatistics(statistics, options) / 100,
    corpusValue: (sums) => chrfFromStatistics(sums, options),
  };
}

/**
 * chrF, 0-100, from [output, reference, both] n-gram counts for each order, of one sample or summed over several.
 *
 * Source: `_compute_f_score` of sacrebleu/metrics/chrf.py, in the same order of operations.
 */
export function chrfFromStatistics(statistics: ArrayLike<number>, { beta, epsSmoothing }: ChrfScoring): number {
  const orders = statistics.length / 3;
  const factor = beta ** 2;
  let sumOfF = 0;
  let effectiveOrders = 0;
  let sumOfPrecisions = 0;
  let sumOfRecalls = 0;
  for (let order = 0; order < orders; order++) {
    const output = at(statistics, 3 * order);
    const reference = at(statistics, 3 * order + 1);
    const both = at(statistics, 3 * order + 2);
    const precision = output > 0 ? both / output : epsilon;
    const recall = reference > 0 ? both / reference : epsilon;
    const denominator = factor * precision + recall;
    sumOfF += denominator > 0 ? ((1 + factor) * precision * recall) / denominator : epsilon;
    if (output > 0 && reference > 0) {
      sumOfPrecisions += precision;
      sumOfRecalls += recall;
      effectiveOrders += 1;
    }
  }
  if (epsSmoothing) return (100 * sumOfF) / orders;
  if (sumOfPrecisions + sumOfRecalls === 0) return 0;
  const precision = sumOfPrecisions / effectiveOrders;
  const recall = sumOfRecalls / effectiveOrders;
  return 100 * (((1 + factor) * precision * recall) / (factor * precision + recall));
}

/**
 * The words whose n-grams chrF++ counts: split at whitespace, with one ASCII punctuation mark taken off a longer word as a word of its
 * own, the one at the end or else the one at the beginning.
 *
 * Source: `_remove_punctuation` of sacrebleu/metrics/chrf.py.
 */
export function chrfWords(text: string): readonly string[] {
  return splitAtSpaces(text).flatMap((word) => {
    if (word.length === 1) return [word];
    if (isAsciiPunctuation(word.charCodeAt(word.length - 1))) return [word.slice(0, -1), word.slice(-1)];
    if (isAsciiPunctuation(word.charCodeAt(0))) return [word.slice(0, 1), word.slice(1)];
    return [word];
  });
}

function bestStatistics(prediction: string, references: readonly string[], options: ChrfOptions): readonly number[] {
  assertReferences(references);
  const [outputCounts = [], ...referenceCounts] = countsByText([prediction, ...references], options);
  let best: readonly number[] = [];
  let bestValue = -1;
  for (const counts of referenceCounts) {
    const statistics = outputCounts.flatMap((output, order) =>
      matchStatistics(output, counts[order] ?? new Int32Array()),
    );
    const value = chrfFromStatistics(statistics, options);
    if (value > bestValue) [best, bestValue] = [statistics, value];
  }
  return best;
}

/** For each text the counts of each order, characters before words. */
function countsByText(texts: readonly string[], options: ChrfOptions): readonly (readonly NgramCounts[])[] {
  const { characterOrder, wordOrder, lowercase, whitespace } = options;
  const cased = lowercase ? texts.map((text) => text.toLowerCase()) : texts;
  const orders = ngramCounts(
    cased.map((text) => characters(text, whitespace)),
    characterOrder,
  ).concat(wordOrder === 0 ? [] : ngramCounts(tokenSymbols(cased.map(chrfWords)), wordOrder));
  return texts.map((_, index) => orders.map((counts) => counts[index] ?? new Int32Array()));
}

/** [output, reference, both]; the output's n-grams do not count at an order that the reference does not reach. */
function matchStatistics(output: NgramCounts, reference: NgramCounts): readonly [number, number, number] {
  const inReference = total(reference);
  return [inReference > 0 ? total(output) : 0, inReference, sharedNgrams(output, reference)];
}

function total(counts: NgramCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The code points of a text, with or without whitespace. */
function characters(text: string, whitespace: boolean): Int32Array {
  const codePoints = new Int32Array(text.length);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const codePoint = text.codePointAt(index) ?? 0;
    if (codePoint > 0xffff) index += 1;
    if (whitespace || !isPythonSpace(codePoint)) codePoints[length++] = codePoint;
  }
  return codePoints.subarray(0, length);
}

/** Python's `string.punctuation`. */
function isAsciiPunctuation(code: number): boolean {
  return /[!-/:-@[-`{-~]/.test(String.fromCharCode(code));
}

function namedOptions(options: ChrfOptions): readonly NamedOption[] {
  const { characterOrder, wordOrder, beta, lowercase, whitespace, epsSmoothing } = options;
  return [
    { key: "char-order", value: characterOrder, isDefault: characterOrder === 6 },
    { key: "word-order", value: wordOrder, isDefault: wordOrder === 0 },
    { key: "beta", value: beta, isDefault: beta === 2 },
    { key: "lowercase", value: "yes", isDefault: !lowercase },
    { key: "whitespace", value: "yes", isDefault: !whitespace },
    { key: "eps-smoothing", value: "yes", isDefault: !epsSmoothing },
  ];
}

function assertOptions({ characterOrder, wordOrder, beta }: ChrfOptions): void {
  assertWholeNumber("character order", characterOrder, 0);
  assertWholeNumber("word order", wordOrder, 0);
  assertWholeNumber("beta", beta, 1);
  if (characterOrder + wordOrder > 0) return;
  throw new UsageError({
    what: "chrF has no n-grams to count",
    actual: "character order 0 and word order 0",
    expected: "at least one of them above 0",
  });
}

function assertWholeNumber(option: string, value: number, lowest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= maxOrder) return;
  throw new UsageError({
    what: `the ${option} of chrF is not usable`,
    actual: String(value),
    expected: `a whole number from ${lowest} to ${maxOrder}`,
  });
}
