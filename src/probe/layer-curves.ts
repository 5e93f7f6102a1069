import { at } from "../assert.js";
import type { LensReading } from "../engine/layer-reader.js";
import { quantile, type Ends } from "../statistics/bootstrap-ends.js";
import { eachResample, type ResampleOptions } from "../statistics/resample.js";
import { kneeOf, largestRise, type KneeMethod } from "./knee.js";

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
  /** 95 % interval in layers; absent below {@link FEWEST_FOR_INTERVAL} samples. */
  readonly interval?: Ends;
  /** Share of resamples that have a knee at all. */
  readonly risingShare: number;
}

/**
 * Samples below which a knee has no interval: curves hang on the few samples whose token becomes probable early, and where none of these is
 * among a dozen samples, no resample of them shows what is missing (eval/results/knees.md).
 */
export const FEWEST_FOR_INTERVAL = 30;

/**
 * The mean probability that a curve must reach to have a knee. Below it at most one sample in ten can find its reference's token more probable
 * than all others together (Markov's inequality: 0.05 / 0.5), so that a rise, of whatever shape, leads to no answer: the adapter is trained
 * too little, and all of its layers are to be kept ([B] section 8).
 */
export const LEAST_PROBABILITY = 0.05;

/**
 * Resamples of a knee hold a third of the samples, and a layer is added at both ends. A knee moves in whole layers and hangs on the curve's
 * few largest steps, which resamples of all samples reproduce too faithfully: with 12 samples their middle 95 % held the true knee in 77 % of
 * cases (m out of n bootstrap: Bickel, Götze and van Zwet, 1997; eval/results/knees.md has the coverage).
 */
const [RESAMPLED_SHARE, MARGIN_LAYERS] = [1 / 3, 1] as const;

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

/** The highest mean probability that a token's curve reaches by its {@link largestRise}; 0 where it does not rise. */
export function heightOfRise(curve: ArrayLike<number>): number {
  const rise = largestRise(curve);
  return rise ? at(curve, rise.end) : 0;
}

/**
 * The knee of the curve of a token, and how sure it is: resampled curves have knees of their own.
 * @returns undefined where the curve does not rise, or stays below {@link LEAST_PROBABILITY}.
 */
export function kneeOfToken(
  readings: readonly LensReading[],
  token: number,
  method: KneeMethod,
  options: ResampleOptions,
): Knee | undefined {
  const rows = rowsOf(readings, "truth", token);
  const layer = rows.length === 0 ? undefined : kneeOfCurve(meanOf(rows), method);
  if (layer === undefined) return undefined;
  const knees: number[] = [];
  let all = 0;
  const draws = Math.ceil(rows.length * RESAMPLED_SHARE);
  eachResample(rows.length, { ...options, draws }, ({ counts, total }) => {
    all++;
    const knee = kneeOfCurve(weightedMean(rows, counts, total), method);
    if (knee !== undefined) knees.push(knee);
  });
  const knee = { method, layer, boundary: layer + 1, risingShare: knees.length / all };
  if (rows.length < FEWEST_FOR_INTERVAL) return knee;
  const sorted = Float64Array.from([...knees, layer]).sort();
  const [low, high] = [quantile(sorted, TAIL), quantile(sorted, 1 - TAIL)];
  return {
    ...knee,
    interval: {
      low: Math.max(0, Math.min(layer, Math.floor(low)) - MARGIN_LAYERS),
      high: Math.min(at(rows, 0).length - 1, Math.max(layer, Math.ceil(high)) + MARGIN_LAYERS),
    },
  };
}

function kneeOfCurve(curve: readonly number[], method: KneeMethod): number | undefined {
  return heightOfRise(curve) < LEAST_PROBABILITY ? undefined : kneeOf(curve, method);
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
