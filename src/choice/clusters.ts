import { at } from "../assert.js";
import type { Score } from "../metrics/metric.js";
import type { Sample } from "../samples/sample.js";

/**
 * What of the samples varies by itself: the conversations that they are of, in order of first appearance; undefined where every sample stands for
 * itself.
 */
export function clustersOf(samples: readonly Pick<Sample, "id" | "conversation">[]): readonly string[] | undefined {
  if (samples.every(({ conversation }) => conversation === undefined)) return undefined;
  return samples.map(({ id, conversation }) =>
    conversation === undefined ? `sample ${id}` : `conversation ${conversation}`,
  );
}

/**
 * What stays in one fold: rows of scores are conversations where samples are of some, and samples of one prompt else.
 * @param prompts of the samples.
 * @returns a key for each row of a score.
 */
export function foldKeys(
  samples: readonly Pick<Sample, "id" | "conversation">[],
  prompts: readonly string[],
): readonly string[] {
  const clusters = clustersOf(samples);
  return clusters ? [...new Set(clusters)] : prompts;
}

/**
 * A score whose rows are clusters instead of samples: resampling, leaving out and testing then take whole clusters, while the value stays that over
 * the samples. Source: Cameron, Gelbach and Miller, Bootstrap-Based Improvements for Inference with Clustered Errors (2008), section 2: clusters are what is drawn.
 * @param clusters a key for each sample.
 */
export function clustered(score: Score, clusters: readonly string[]): Score {
  const rows = new Map<string, number[]>();
  const width = score.statistics[0]?.length ?? 0;
  for (const [sample, statistics] of score.statistics.entries()) {
    const key = at(clusters, sample);
    const row = rows.get(key) ?? Array.from({ length: width + 1 }, () => 0);
    rows.set(key, row);
    statistics.forEach((value, i) => (row[i] = at(row, i) + value));
    row[width] = at(row, width) + 1;
  }
  const statistics = [...rows.values()];
  const corpusValue = (sums: ArrayLike<number>): number =>
    score.corpusValue(
      Float64Array.from({ length: width }, (_, i) => at(sums, i)),
      at(sums, width),
    );
  return {
    ...score,
    isBinary: false,
    statistics,
    perSample: statistics.map((row) => corpusValue(row) / 100),
    corpusValue,
  };
}
