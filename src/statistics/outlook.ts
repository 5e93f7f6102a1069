import type { Columns, Weights } from "./columns.js";
import { cautiousLow, differenceStandardError, kindOf, momentsOf } from "./difference.js";
import { normalQuantile, studentQuantile } from "./distributions.js";

/** What the samples seen so far say of a - b on all samples, in points. */
export interface Outlook {
  /** On the samples seen. */
  readonly estimate: number;
  /** Ends between which a - b on all samples lies with the level that was asked for. */
  readonly low: number;
  readonly high: number;
}

/**
 * Where a difference will end when all of a known number of samples are answered, from the first of them in random order: a simple random
 * sample without replacement of n out of N misses the value on all by a normal error of variance s^2 (1/n - 1/N) (Cochran, Sampling
 * Techniques, 1977, theorem 2.2), which vanishes as n reaches N. To stop a comparison whose end is as good as known is stochastic
 * curtailment (Lan, Simon and Halperin, Stochastically Curtailed Tests in Long-Term Clinical Trials, 1982). For means, s^2 counts two more
 * samples that changed by as much as the seen ones did, or by 1 where none did, as {@link analyticDifference} does; else it is the jackknife's, with
 * Student's quantile, and a little too sure of itself (85 to 91 % where 90 % are asked for).
 * @param a of the samples seen alone, as b. @param total N. @param level two-sided, 0 to 1.
 */
export function outlookOf(a: Columns, b: Columns, total: number, level: number): Outlook {
  const seen = a.samples;
  const once: Weights = { counts: new Float64Array(seen).fill(1), total: seen };
  const estimate = valueOf(a) - valueOf(b);
  const quantile =
    kindOf(a, b) === "corpus" && seen > 1
      ? studentQuantile((1 + level) / 2, seen - 1)
      : normalQuantile((1 + level) / 2);
  const half = quantile * deviationOf(a, b, once) * Math.sqrt(Math.max(0, 1 / seen - 1 / total));
  return { estimate, low: estimate - half, high: estimate + half };
}

/** {@link cautiousLow} on all samples, were those to come like those seen. */
export function expectedLow(a: Columns, b: Columns, total: number, level: number): number {
  return cautiousLow(a, b, asIfAll(a.samples, total), level);
}

/** {@link differenceStandardError} on all samples, were those to come like those seen. */
export function expectedError(a: Columns, b: Columns, total: number): number {
  return differenceStandardError(a, b, asIfAll(a.samples, total));
}

function asIfAll(seen: number, total: number): Weights {
  return { counts: new Float64Array(seen).fill(total / seen), total };
}

/** Standard deviation of one sample's contribution to the difference, in points. */
function deviationOf(a: Columns, b: Columns, once: Weights): number {
  if (kindOf(a, b) === "corpus") return differenceStandardError(a, b, once) * Math.sqrt(once.total);
  const { sum, squares, changed } = momentsOf(a, b, once);
  const step = changed === 0 ? 1 : squares / changed;
  const center = sum / (once.total + 2);
  return 100 * Math.sqrt(Math.max(0, (squares + 2 * step) / (once.total + 2) - center ** 2));
}

function valueOf({ columns, corpusValue, samples }: Columns): number {
  return corpusValue(
    columns.map((column) => column.reduce((sum, value) => sum + value, 0)),
    samples,
  );
}
