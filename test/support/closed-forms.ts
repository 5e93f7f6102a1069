import { studentQuantile } from "../../src/statistics/distributions.js";

/** Intervals (95 %, in points) by formulas of their own, for comparison with what the statistics room computes by iteration. */

/** 0.975 quantile of the normal distribution. */
export const Z = 1.959963984540054;

/**
 * Tango's score interval where of so many samples some change for the better and none for the worse. Without losses the restricted estimate
 * of the losing share is simple, and the score equation solves to (better - z^2) / (samples + z^2) below, and to the upper Wilson limit of
 * better / samples above. Holds for a lower end below better / (2 samples - better), which the caller's numbers must give.
 */
export function tangoWithoutLosses(better: number, samples: number): { low: number; high: number } {
  const low = (better - Z ** 2) / (samples + Z ** 2);
  if (better > 0 && better < samples && low >= better / (2 * samples - better)) throw new RangeError("no closed form");
  const share = better / samples;
  const root = Math.sqrt((share * (1 - share)) / samples + Z ** 2 / (4 * samples ** 2));
  const high = (share + Z ** 2 / (2 * samples) + Z * root) / (1 + Z ** 2 / samples);
  return { low: 100 * low, high: 100 * high };
}

/** Student's interval of a mean of changes (-1 to 1) after two more: up and down by the root mean square of those not 0, or by 1 without any. */
export function adjustedStudent(changes: readonly number[]): { low: number; high: number } {
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length;
  const seen = changes.filter((change) => change !== 0);
  const step = seen.length === 0 ? 1 : Math.sqrt(mean(seen.map((change) => change ** 2)));
  const all = [...changes, step, -step];
  const variance = all.reduce((sum, change) => sum + (change - mean(all)) ** 2, 0) / (all.length - 1);
  const half = studentQuantile(0.975, changes.length - 1) * Math.sqrt(variance / all.length);
  return { low: Math.max(-100, 100 * (mean(all) - half)), high: Math.min(100, 100 * (mean(all) + half)) };
}
