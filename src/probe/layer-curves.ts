import { at } from "../assert.js";
import type { LensReading } from "../engine/engine.js";
import { quantile, type Ends } from "../statistics/bootstrap-ends.js";
import { eachResample, type ResampleOptions } from "../statistics/resample.js";
import { kneeOf, type KneeMethod } from "./knee.js";

/** Ends of the middle 95 % of resamples. */
const TAIL = 0.025;

/** A value of one layer, averaged over samples, with its percentile bootstrap interval (95 %). */
export interface LayerPoint extends Ends {
  /** From 0: the value after this layer. */
  readonly layer: number;
  readonly mean: number;
}

/** One token's curve over the layers. */
export interface LayerCurve {
  /** Of the reference, from 1. */
  readonly token: number;
  /** Samples whose reference has such a token. */
  readonly samples: number;
  readonly points: readonly LayerPoint[];
}

/** Where a curve begins to rise. */
export interface Knee {
  readonly method: KneeMethod;
  /** The last layer before the rise. */
  readonly layer: number;
  /** The boundary that keeps this layer and all below it. */
  readonly boundary: number;
  /** Layers: the middle 95 % of the knees of resampled curves, and the share of resamples that rise at all. */
  readonly interval: Ends;
  readonly risingShare: number;
}

/** Which of a reading's values. */
export type LensValue = "truth" | "highest";

/**
 * The average over the samples of what the lens reads, one curve for each of the first tokens that any sample has.
 * @param tokens most tokens.
 */
export function layerCurves(
  readings: readonly LensReading[],
  value: LensValue,
  tokens: number,
  options: ResampleOptions,
): LayerCurve[] {
  return Array.from({ length: tokens }, (_, token) => token).flatMap((token): LayerCurve[] => {
    const rows = rowsOf(readings, value, token);
    return rows.length === 0 ? [] : [curveOf(rows, token, options)];
  });
}

/** The difference of two masks' curves, sample by sample. @param of and @param against readings of the same samples. */
export function differenceCurve(
  of: readonly LensReading[],
  against: readonly LensReading[],
  token: number,
  options: ResampleOptions,
): LayerCurve | undefined {
  const [a, b] = [rowsOf(of, "truth", token), rowsOf(against, "truth", token)];
  const rows = a.map((row, sample) => row.map((value, layer) => value - at(at(b, sample), layer)));
  return rows.length === 0 ? undefined : curveOf(rows, token, options);
}

/** The knee of the curve of a token, and how sure it is: resampled curves have knees of their own. */
export function kneeOfToken(
  readings: readonly LensReading[],
  token: number,
  method: KneeMethod,
  options: ResampleOptions,
): Knee | undefined {
  const rows = rowsOf(readings, "truth", token);
  const layer = rows.length === 0 ? undefined : kneeOf(meanOf(rows), method);
  if (layer === undefined) return undefined;
  const knees: number[] = [];
  let all = 0;
  eachResample(rows.length, options, ({ counts, total }) => {
    all++;
    const knee = kneeOf(weightedMean(rows, counts, total), method);
    if (knee !== undefined) knees.push(knee);
  });
  const sorted = Float64Array.from(knees).sort();
  return {
    method,
    layer,
    boundary: layer + 1,
    interval: { low: quantile(sorted, TAIL), high: quantile(sorted, 1 - TAIL) },
    risingShare: knees.length / all,
  };
}

/** [samples][layers] of those samples that have the token. */
function rowsOf(readings: readonly LensReading[], value: LensValue, token: number): number[][] {
  return readings
    .filter(({ tokens }) => token < tokens)
    .map((reading) =>
      Array.from({ length: reading.layers }, (_, layer) => at(reading[value], layer * reading.tokens + token)),
    );
}

function curveOf(rows: readonly (readonly number[])[], token: number, options: ResampleOptions): LayerCurve {
  const means = meanOf(rows);
  const resampled = means.map((): number[] => []);
  eachResample(rows.length, options, ({ counts, total }) => {
    weightedMean(rows, counts, total).forEach((mean, layer) => resampled[layer]?.push(mean));
  });
  const points = means.map((mean, layer) => {
    const sorted = Float64Array.from(at(resampled, layer)).sort();
    return { layer, mean, low: quantile(sorted, TAIL), high: quantile(sorted, 1 - TAIL) };
  });
  return { token: token + 1, samples: rows.length, points };
}

function meanOf(rows: readonly (readonly number[])[]): number[] {
  return weightedMean(rows, new Float64Array(rows.length).fill(1), rows.length);
}

function weightedMean(rows: readonly (readonly number[])[], counts: Float64Array, total: number): number[] {
  const sums = new Array<number>(rows[0]?.length ?? 0).fill(0);
  for (const [sample, row] of rows.entries()) {
    const count = counts[sample] ?? 0;
    if (count > 0) for (const [layer, value] of row.entries()) sums[layer] = (sums[layer] ?? 0) + count * value;
  }
  return sums.map((sum) => sum / total);
}
