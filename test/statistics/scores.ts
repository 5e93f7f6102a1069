import type { Score } from "../../src/metrics/metric.js";

/** A score whose value is the mean of these values, 0-1. */
export function meanScore(values: readonly number[], isBinary = values.every((one) => one === 0 || one === 1)): Score {
  return scoreFrom(
    values.map((one) => [one]),
    (sums, count) => (100 * (sums[0] ?? Number.NaN)) / count,
    isBinary,
  );
}

/** A score such as corpus BLEU: 100 * (sum of the first statistic) / (sum of the second). */
export function ratioScore(rows: readonly (readonly [number, number])[]): Score {
  return scoreFrom(rows, (sums) => (100 * (sums[0] ?? Number.NaN)) / (sums[1] ?? Number.NaN), false);
}

function scoreFrom(
  statistics: readonly (readonly number[])[],
  corpusValue: Score["corpusValue"],
  isBinary: boolean,
): Score {
  const sums = (statistics[0] ?? []).map((_, i) => statistics.reduce((sum, row) => sum + row[i]!, 0));
  return {
    metric: "m",
    label: "M",
    isBinary,
    value: corpusValue(sums, statistics.length),
    n: statistics.length,
    signature: "test",
    perSample: statistics.map((row) => corpusValue(row, 1) / 100),
    statistics,
    corpusValue,
  };
}

/** Zeros and ones on so many samples, of which so many are better, worse, right on both sides; the rest is wrong on both. */
export function pairOf(samples: number, better: number, worse: number, both = 0): readonly [Score, Score] {
  const side = (first: number, second: number): Score => {
    return meanScore(
      Array.from({ length: samples }, (_, i) => {
        if (i < better) return first;
        if (i < better + worse) return second;
        return i < better + worse + both ? 1 : 0;
      }),
      true,
    );
  };
  return [side(1, 0), side(0, 1)];
}
