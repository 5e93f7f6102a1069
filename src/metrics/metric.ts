import { at } from "../assert.js";
import { BoundaryError } from "../errors.js";
import { version } from "../version.js";

/** How probable the model finds a reference, put in token by token. */
export interface TokenLikelihood {
  /** Natural logarithm, summed over the tokens. */
  readonly logProbability: number;
  /** Tokens of the reference, at least 1. */
  readonly tokens: number;
}

/** One field of a signature, such as `["tok", "13a"]`. */
export type SignaturePart = readonly [key: string, value: string];

/**
 * A metric. What it needs of a sample is a short vector of sufficient statistics, and its value over any set of samples is a function of
 * the sum of their vectors alone: so resampling adds up vectors and never looks at a text again.
 */
export interface Metric {
  /** As flags and results spell it, options included: "em", "bleu:tok=zh". */
  readonly name: string;
  /** Heading of the metric's column in a table, such as "EM". */
  readonly label: string;
  /** The metric's own options as signature fields in their order; those in front (`nrefs`) and behind (`version`) are added by {@link score}. */
  readonly signatureParts: readonly SignaturePart[];
  /** Whether every per-sample value is 0 or 1, so that exact tests for proportions apply. */
  readonly isBinary: boolean;
  /** True where less is better, as with a share of faults; such a metric cannot choose a boundary. */
  readonly lowerIsBetter?: true;
  /** True where values leave the 0-100 scale, as log-likelihoods do: their differences have no largest one. */
  readonly isUnbounded?: true;
  /**
   * The sufficient statistics of one sample, a vector of the same length for every sample. Several references are taken together as the
   * metric's own source does. Throws {@link BoundaryError} without a reference.
   */
  statistics(prediction: string, references: readonly string[]): readonly number[];
  /** The statistics of a sample without an answer, which scores nothing; absent where they are those of the empty answer. */
  readonly missing?: readonly number[];
  /** Of metrics that read how probable the reference is instead of what was answered: its statistics. */
  readonly ofLikelihood?: (likelihood: TokenLikelihood) => readonly number[];
  /** The value of one sample from its statistics, 0-1 as far as the metric is bounded. */
  sampleValue(statistics: readonly number[]): number;
  /** The value over samples, on the 0-100 scale, from the sums of their statistics and their count (at least 1). */
  corpusValue(sums: ArrayLike<number>, count: number): number;
}

/** What a metric that is a mean over samples is made of: the label is the name, and there is no signature part, unless given. */
export interface MeanMetricParts
  extends Pick<Metric, "name" | "lowerIsBetter">, Partial<Pick<Metric, "label" | "signatureParts" | "isBinary">> {
  /** 0-1; the best over the references, of which there must be at least one. */
  readonly perSample: (prediction: string, references: readonly string[]) => number;
}

/** A metric whose value over samples is the mean of its per-sample values: one statistic, the value itself. */
export function meanMetric({ perSample, ...rest }: MeanMetricParts): Metric {
  return {
    label: rest.name,
    signatureParts: [],
    isBinary: false,
    ...rest,
    statistics: (prediction, references) => [perSample(prediction, references)],
    ...(rest.lowerIsBetter ? {} : { missing: [0] }),
    sampleValue: ([value = Number.NaN]) => value,
    corpusValue: (sums, count) => (100 * at(sums, 0)) / count,
  };
}

/** A metric's value over a set of samples, with what is needed to judge, resample and repeat it. */
export interface Score {
  /** The metric's name. */
  readonly metric: string;
  readonly label: string;
  readonly isBinary: boolean;
  readonly lowerIsBetter?: true;
  readonly isUnbounded?: true;
  /** On the 0-100 scale. */
  readonly value: number;
  /** Number of samples, at least 1. */
  readonly n: number;
  /** Such as `nrefs:1|rules:squad-v1.1|version:0.1.0`, after sacreBLEU; `nrefs:var` when samples differ in their number of references. */
  readonly signature: string;
  /** 0-1 for each sample, in the order of the samples. */
  readonly perSample: readonly number[];
  /** Sufficient statistics, a row for each sample in their order. */
  readonly statistics: readonly (readonly number[])[];
  /** {@link Metric.corpusValue}: the value, 0-100, of any other choice of the same samples from their summed statistics. */
  readonly corpusValue: Metric["corpusValue"];
}

/**
 * Scores predictions against the references at the same places.
 * Throws {@link BoundaryError} without predictions, when the lengths differ, or when a sample has no reference.
 */
export function score(
  metric: Metric,
  predictions: readonly (string | undefined)[],
  references: readonly (readonly string[])[],
): Score {
  if (predictions.length !== references.length) {
    throw new BoundaryError({
      what: "predictions and references do not belong together",
      actual: `${predictions.length} predictions and ${references.length} lists of references`,
      expected: "as many of the one as of the other",
    });
  }
  const statistics = predictions.map((prediction, index) =>
    prediction === undefined && metric.missing
      ? metric.missing
      : metric.statistics(prediction ?? "", at(references, index)),
  );
  return scoreOfStatistics(metric, statistics, references);
}

/** Scores what was found for each sample. @throws BoundaryError without samples. */
export function scoreOfStatistics(
  metric: Metric,
  statistics: readonly (readonly number[])[],
  references: readonly (readonly string[])[],
): Score {
  const [first] = statistics;
  if (first === undefined) {
    throw new BoundaryError({
      what: `${metric.label} of no predictions is not defined`,
      actual: "0 predictions",
      expected: "at least 1",
    });
  }
  return {
    metric: metric.name,
    label: metric.label,
    isBinary: metric.isBinary,
    ...(metric.lowerIsBetter ? { lowerIsBetter: true } : {}),
    ...(metric.isUnbounded ? { isUnbounded: true } : {}),
    value: metric.corpusValue(sumOf(statistics, first.length), statistics.length),
    n: statistics.length,
    signature: signatureOf(metric, references),
    perSample: statistics.map((row) => metric.sampleValue(row)),
    statistics,
    corpusValue: (sums, count) => metric.corpusValue(sums, count),
  };
}

/** The same score over some of its samples, from their statistics alone. @param indexes places of the samples, at least one. */
export function subsetScore(whole: Score, indexes: readonly number[]): Score {
  const statistics = indexes.map((index) => at(whole.statistics, index));
  return {
    ...whole,
    n: indexes.length,
    value: whole.corpusValue(sumOf(statistics, statistics[0]?.length ?? 0), indexes.length),
    perSample: indexes.map((index) => at(whole.perSample, index)),
    statistics,
  };
}

function sumOf(statistics: readonly (readonly number[])[], width: number): Float64Array {
  const sums = new Float64Array(width);
  for (const row of statistics) for (let i = 0; i < width; i++) sums[i] = at(sums, i) + at(row, i);
  return sums;
}

function signatureOf(metric: Metric, references: readonly (readonly string[])[]): string {
  const counts = new Set(references.map((list) => list.length));
  const [count] = counts;
  const nrefs = counts.size === 1 && count !== undefined ? String(count) : "var";
  return [["nrefs", nrefs], ...metric.signatureParts, ["version", version]].map((part) => part.join(":")).join("|");
}
