import { UsageError } from "../errors.js";
import { bleuTokenizers, type BleuTokenizer } from "./bleu-tokenizers.js";
import { labelWithOptions, nameWithOptions, type NamedOption } from "./metric-name.js";
import type { Metric } from "./metric.js";
import { highestCounts, ngramCounts, ngramTotal, sharedNgrams, tokenSymbols } from "./ngram-counts.js";
import { oncePer } from "./once.js";
import { assertReferences } from "./references.js";

/**
 * What stands in for the precision of an order without a match, once some order has one (Chen and Cherry 2014): `exp` halves a count of 1
 * each time it is needed (NIST's), `floor` counts `smoothValue`, `add-k` adds `smoothValue` to matches and totals of the orders above 1
 * in any case, `none` leaves 0.
 */
export type BleuSmoothing = "exp" | "floor" | "add-k" | "none";

/** What the value is computed with, apart from the statistics. */
export interface BleuScoring {
  readonly smoothing: BleuSmoothing;
  /** A count, at least 0; only for `floor` (0.1 when not given) and `add-k` (1 when not given). */
  readonly smoothValue?: number;
  /** Whether orders above the longest n-gram of the output are left out of the mean, as single sentences need. */
  readonly effectiveOrder: boolean;
}

/** Options of BLEU. sacreBLEU's defaults are 13a, exp, case kept, no effective order. */
export interface BleuOptions extends BleuScoring {
  readonly tokenizer: BleuTokenizer;
  /** Whether both sides are lower-cased before they are split into tokens. */
  readonly lowercase: boolean;
}

/** BLEU with its parts, as sacreBLEU's `BLEUScore`. Lists are by n-gram order, 1 to 4. */
export interface BleuScore {
  /** 0-100; of a perfect output 100.00000000000004, the nearest that exp and log come. */
  readonly score: number;
  /** Brevity penalty, 0-1. */
  readonly bp: number;
  /** 0-100, smoothed. All 0 when nothing matches at all. */
  readonly precisions: readonly number[];
  /** Matches, without smoothing. */
  readonly counts: readonly number[];
  /** N-grams of the output, without smoothing. */
  readonly totals: readonly number[];
  /** Tokens of the output. */
  readonly sysLen: number;
  /** Tokens of the reference nearest in length. */
  readonly refLen: number;
}

const maxOrder = 4;

/** The defaults of `smoothValue`, from Chen and Cherry (2014); undefined for those without one. */
const smoothValueDefaults: Readonly<Record<BleuSmoothing, number | undefined>> = {
  exp: undefined,
  floor: 0.1,
  "add-k": 1,
  none: undefined,
};

/** What Python's `math.log` is replaced by for 0, so that no precision gives infinity. Source: sacrebleu/utils.py, `my_log`. */
const logOfZero = -9999999999;

/**
 * BLEU (Papineni et al. 2002) as sacreBLEU 2.6.0 computes it, its signature included. Statistics: output length, reference length, matches
 * of orders 1-4, totals of orders 1-4. The value of a sample is sentence BLEU, for which the effective order is always on.
 * Throws {@link UsageError} for options that are not.
 *
 * Source: sacrebleu/metrics/bleu.py.
 */
export function bleuMetric(options: BleuOptions): Metric {
  assertOptions(options);
  const { tokenizer, lowercase } = options;
  const named = namedOptions(options);
  const tokens = (text: string): readonly string[] => bleuTokenizers[tokenizer](lowercase ? text.toLowerCase() : text);
  const tokensOf = oncePer((references: readonly string[]) => references.map(tokens));
  return {
    name: nameWithOptions("bleu", named),
    label: labelWithOptions("BLEU", named),
    signatureParts: [
      ["case", lowercase ? "lc" : "mixed"],
      ["eff", options.effectiveOrder ? "yes" : "no"],
      ["tok", tokenizer],
      ["smooth", smoothingSignature(options)],
    ],
    isBinary: false,
    statistics: (prediction, references) => bleuStatistics(tokens(prediction), tokensOf(references)),
    sampleValue: (statistics) => bleuFromStatistics(statistics, { ...options, effectiveOrder: true }).score / 100,
    corpusValue: (sums) => bleuFromStatistics(sums, options).score,
  };
}

/**
 * The sufficient statistics of BLEU for one sample: output length, length of the reference nearest to it (of two, the shorter), matches of
 * orders 1-4 (each n-gram as often as the output and some single reference have it), totals of orders 1-4.
 * Throws BoundaryError without a reference.
 *
 * Source: `_compute_segment_statistics` of sacrebleu/metrics/bleu.py.
 */
export function bleuStatistics(
  output: readonly string[],
  references: readonly (readonly string[])[],
): readonly number[] {
  assertReferences(references);
  const orders = ngramCounts(tokenSymbols([output, ...references]), maxOrder);
  const matches = orders.map(([counts = new Int32Array(), ...others]) => sharedNgrams(counts, highestCounts(others)));
  const totals = orders.map((_, index) => ngramTotal(output.length, index + 1));
  return [output.length, closestLength(output.length, references), ...matches, ...totals];
}

/**
 * BLEU from sufficient statistics, of one sample or summed over several.
 *
 * Source: `compute_bleu` of sacrebleu/metrics/bleu.py, in the same order of operations.
 */
export function bleuFromStatistics(statistics: ArrayLike<number>, scoring: BleuScoring): BleuScore {
  const [sysLen = Number.NaN, refLen = Number.NaN, ...rest] = Array.from(statistics);
  const counts = rest.slice(0, maxOrder);
  const totals = rest.slice(maxOrder, 2 * maxOrder);
  const bp = brevityPenalty(sysLen, refLen);
  if (counts.every((count) => count === 0)) {
    return { score: 0, bp, precisions: counts.map(() => 0), counts, totals, sysLen, refLen };
  }
  const { precisions, order } = smoothedPrecisions(counts, totals, scoring);
  const logs = precisions.slice(0, order).map((precision) => (precision === 0 ? logOfZero : Math.log(precision)));
  const score = bp * Math.exp(logs.reduce((sum, log) => sum + log, 0) / order);
  return { score, bp, precisions, counts, totals, sysLen, refLen };
}

function brevityPenalty(sysLen: number, refLen: number): number {
  if (sysLen >= refLen) return 1;
  return sysLen > 0 ? Math.exp(1 - refLen / sysLen) : 0;
}

/** The precisions, 0-100, and how many of them the mean is taken over. */
function smoothedPrecisions(
  counts: readonly number[],
  totals: readonly number[],
  scoring: BleuScoring,
): { precisions: readonly number[]; order: number } {
  const { smoothing } = scoring;
  const smoothValue = scoring.smoothValue ?? smoothValueDefaults[smoothing] ?? 0;
  const precisions = counts.map(() => 0);
  let order = maxOrder;
  let halvings = 1;
  for (const [index, unsmoothed] of counts.entries()) {
    const added = smoothing === "add-k" && index > 0 ? smoothValue : 0;
    const count = unsmoothed + added;
    const total = (totals[index] ?? 0) + added;
    if (total === 0) break;
    if (scoring.effectiveOrder) order = index + 1;
    if (count > 0) {
      precisions[index] = (100 * count) / total;
    } else if (smoothing === "exp") {
      halvings *= 2;
      precisions[index] = 100 / (halvings * total);
    } else if (smoothing === "floor") {
      precisions[index] = (100 * smoothValue) / total;
    }
  }
  return { precisions, order };
}

function closestLength(length: number, references: readonly (readonly string[])[]): number {
  const lengths = references.map((reference) => reference.length).sort((left, right) => left - right);
  return lengths.reduce((best, other) => (Math.abs(other - length) < Math.abs(best - length) ? other : best));
}

function smoothingSignature({ smoothing, smoothValue }: BleuScoring): string {
  const value = smoothValue ?? smoothValueDefaults[smoothing];
  return value === undefined ? smoothing : `${smoothing}[${twoDecimals(value)}]`;
}

/** Python's `f"{value:.2f}"`: of two equally near decimals the even one, where `toFixed` takes the larger. */
function twoDecimals(value: number): string {
  const isHalfway = Number.isInteger(8 * value) && !Number.isInteger(4 * value);
  return isHalfway ? ((2 * Math.round(50 * value)) / 100).toFixed(2) : value.toFixed(2);
}

function namedOptions({
  tokenizer,
  smoothing,
  smoothValue,
  lowercase,
  effectiveOrder,
}: BleuOptions): readonly NamedOption[] {
  const defaultValue = smoothValueDefaults[smoothing];
  return [
    { key: "tok", value: tokenizer, isDefault: tokenizer === "13a" },
    { key: "smooth", value: smoothing, isDefault: smoothing === "exp" },
    {
      key: "smooth-value",
      value: smoothValue ?? "",
      isDefault: smoothValue === undefined || smoothValue === defaultValue,
    },
    { key: "lowercase", value: "yes", isDefault: !lowercase },
    { key: "effective-order", value: "yes", isDefault: !effectiveOrder },
  ];
}

/** Options may come from a file or flags, where the types hold nothing. */
function assertOptions({ tokenizer, smoothing, smoothValue }: BleuOptions): void {
  assertOneOf("tokenizer", tokenizer, Object.keys(bleuTokenizers));
  assertOneOf("smoothing", smoothing, Object.keys(smoothValueDefaults));
  if (smoothValue === undefined) return;
  if (smoothValueDefaults[smoothing] === undefined) {
    throw new UsageError({
      what: `BLEU's smoothing ${smoothing} takes no value`,
      actual: String(smoothValue),
      expected: "none",
      fix: "Leave the value out, or choose the smoothing floor or add-k.",
    });
  }
  if (!(smoothValue >= 0 && Number.isFinite(smoothValue))) {
    throw new UsageError({
      what: "BLEU's smoothing value is not usable",
      actual: String(smoothValue),
      expected: "a finite number, at least 0",
    });
  }
}

function assertOneOf(option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new UsageError({
    what: `unknown ${option} of BLEU`,
    actual: JSON.stringify(value),
    expected: `one of ${allowed.join(", ")}`,
  });
}
