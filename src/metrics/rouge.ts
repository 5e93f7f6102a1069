import { defined } from "../assert.js";
import { lcsLength, unionsOfLcs } from "./lcs.js";
import { meanMetric, type Metric } from "./metric.js";
import { labelWithOptions, nameWithOptions } from "./metric-name.js";
import { oncePer } from "./once.js";
import { assertReferences, bestOverReferences } from "./references.js";
import { rougeTokens, type RougeTokens } from "./rouge-tokens.js";

/** ROUGE-1 and -2: shared words and word pairs. L: longest common subsequence of the texts. Lsum: the same line by line. */
export type RougeType = "rouge1" | "rouge2" | "rougeL" | "rougeLsum";

/** Each 0-1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly fmeasure: number;
}

/** The four types, in the order in which they are usually reported. */
export const rougeTypes: readonly RougeType[] = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

const labels: Readonly<Record<RougeType, string>> = {
  rouge1: "ROUGE-1",
  rouge2: "ROUGE-2",
  rougeL: "ROUGE-L",
  rougeLsum: "ROUGE-Lsum",
};

/** What makes a ROUGE metric. */
export interface RougeOptions {
  readonly type: RougeType;
  /** Whether words are compared by their stems. rouge_score's own default is false; evaluation harnesses mostly set true. */
  readonly stemmer: boolean;
  readonly measure?: "fmeasure";
}

/** F-measure of one ROUGE type, the best over the references, exactly as rouge_score 0.1.2 computes it. */
export function rougeMetric({ type, stemmer, measure = "fmeasure" }: RougeOptions): Metric {
  const tokensOf = oncePer(
    (references: readonly string[]) => new Map(references.map((text) => [text, rougeTokens(text, stemmer)])),
  );
  const options = [{ key: "stemmer", value: stemmer ? "yes" : "no", isDefault: !stemmer }];
  return meanMetric({
    name: nameWithOptions(type, options),
    label: labelWithOptions(labels[type], options),
    signatureParts: [
      ["rules", "rouge-score-0.1.2"],
      ["stemmer", stemmer ? "yes" : "no"],
      ["measure", measure],
    ],
    isBinary: false,
    perSample: (prediction, references) => {
      const predicted = rougeTokens(prediction, stemmer);
      const known = tokensOf(references);
      return bestOverReferences(references, (reference) => {
        const pair = encode(defined(known.get(reference), "the tokens of a reference"), predicted);
        return scorers[type](pair)[measure];
      });
    },
  });
}

/**
 * Precision, recall and F-measure of all four types. Of several references each type takes the first one with the highest F-measure.
 * Throws BoundaryError without a reference.
 *
 * Source: `RougeScorer.score_multi(references, prediction)` of rouge_score 0.1.2, default tokenizer, `split_summaries=False`.
 */
export function rougeScores(
  prediction: string,
  references: readonly string[],
  { stemmer }: Pick<RougeOptions, "stemmer">,
): Readonly<Record<RougeType, RougeScore>> {
  assertReferences(references);
  const predicted = rougeTokens(prediction, stemmer);
  const pairs = references.map((reference) => encode(rougeTokens(reference, stemmer), predicted));
  const best = (type: RougeType): RougeScore => highest(pairs.map(scorers[type]));
  return { rouge1: best("rouge1"), rouge2: best("rouge2"), rougeL: best("rougeL"), rougeLsum: best("rougeLsum") };
}

/** Both texts with their tokens numbered alike, from 0 to `vocabularySize` exclusive. */
interface EncodedPair {
  readonly reference: EncodedText;
  readonly prediction: EncodedText;
  readonly vocabularySize: number;
}

interface EncodedText {
  readonly tokens: Int32Array;
  /** The different lines, and how often each occurs, under their tokens joined by spaces. */
  readonly lines: ReadonlyMap<string, EncodedLine>;
}

interface EncodedLine {
  readonly tokens: Int32Array;
  count: number;
}

const scorers: Readonly<Record<RougeType, (pair: EncodedPair) => RougeScore>> = {
  rouge1: (pair) => nGramScore(pair, 1),
  rouge2: (pair) => nGramScore(pair, 2),
  rougeL: subsequenceScore,
  rougeLsum: summaryScore,
};

function encode(reference: RougeTokens, prediction: RougeTokens): EncodedPair {
  const numbers = new Map<string, number>();
  const encodeText = ({ lines, tokens }: RougeTokens): EncodedText => {
    const numbered = Int32Array.from(tokens, (token) => {
      const known = numbers.get(token);
      if (known !== undefined) return known;
      numbers.set(token, numbers.size);
      return numbers.size - 1;
    });
    return { tokens: numbered, lines: distinctLines(lines, numbered) };
  };
  const pair = { reference: encodeText(reference), prediction: encodeText(prediction) };
  return { ...pair, vocabularySize: numbers.size };
}

function distinctLines(lines: RougeTokens["lines"], tokens: Int32Array): Map<string, EncodedLine> {
  const distinct = new Map<string, EncodedLine>();
  let start = 0;
  for (const line of lines) {
    const key = line.join(" ");
    const known = distinct.get(key);
    if (known === undefined) distinct.set(key, { tokens: tokens.subarray(start, start + line.length), count: 1 });
    else known.count += 1;
    start += line.length;
  }
  return distinct;
}

function nGramScore({ reference, prediction, vocabularySize }: EncodedPair, order: 1 | 2): RougeScore {
  const expected = nGramCounts(reference.tokens, order, vocabularySize);
  const predicted = nGramCounts(prediction.tokens, order, vocabularySize);
  let shared = 0;
  for (const [nGram, count] of expected) shared += Math.min(count, predicted.get(nGram) ?? 0);
  const grams = (text: EncodedText): number => Math.max(text.tokens.length - order + 1, 1);
  return scoreOf(shared / grams(prediction), shared / grams(reference));
}

/** How often each token or pair of tokens occurs; the number of a pair stays below 2^53 for fewer than 90 million different tokens. */
function nGramCounts(tokens: Int32Array, order: 1 | 2, vocabularySize: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = order - 1; i < tokens.length; i++) {
    const last = tokens[i] ?? 0;
    const nGram = order === 1 ? last : (tokens[i - 1] ?? 0) * vocabularySize + last;
    counts.set(nGram, (counts.get(nGram) ?? 0) + 1);
  }
  return counts;
}

function subsequenceScore({ reference, prediction, vocabularySize }: EncodedPair): RougeScore {
  const expected = reference.tokens.length;
  const predicted = prediction.tokens.length;
  if (expected === 0 || predicted === 0) return scoreOf(0, 0);
  const length = lcsLength(reference.tokens, prediction.tokens, vocabularySize);
  return scoreOf(length / predicted, length / expected);
}

/**
 * Summary-level LCS: a reference line's tokens count when they belong to its union of subsequences with the prediction's lines, each
 * token at most as often as the prediction has it. Equal lines have equal unions, and a line that the prediction has too is its own.
 */
function summaryScore({ reference, prediction, vocabularySize }: EncodedPair): RougeScore {
  const expected = reference.tokens.length;
  const predicted = prediction.tokens.length;
  if (expected === 0 || predicted === 0) return scoreOf(0, 0);
  const inUnions = new Int32Array(vocabularySize);
  const count = (token: number, times: number): void => {
    inUnions[token] = (inUnions[token] ?? 0) + times;
  };
  const others: EncodedLine[] = [];
  for (const [key, line] of reference.lines) {
    if (prediction.lines.has(key)) for (const token of line.tokens) count(token, line.count);
    else others.push(line);
  }
  const candidates = Array.from(prediction.lines.values(), (line) => line.tokens);
  const unions = unionsOfLcs(
    others.map((line) => line.tokens),
    candidates,
    vocabularySize,
  );
  others.forEach((line, index) => {
    for (const position of unions[index] ?? []) count(line.tokens[position] ?? 0, line.count);
  });
  let hits = 0;
  for (const [token, times] of nGramCounts(prediction.tokens, 1, vocabularySize)) {
    hits += Math.min(times, inUnions[token] ?? 0);
  }
  return scoreOf(hits / predicted, hits / expected);
}

/** In rouge_score's own order of operations, so that the result is the same to the last bit. */
function scoreOf(precision: number, recall: number): RougeScore {
  const fmeasure = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { precision, recall, fmeasure };
}

function highest(scores: readonly RougeScore[]): RougeScore {
  const none: RougeScore = { precision: 0, recall: 0, fmeasure: 0 };
  return scores.reduce((best, score) => (score.fmeasure > best.fmeasure ? score : best), scores[0] ?? none);
}
