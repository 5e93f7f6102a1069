import { at } from "../assert.js";
import type { Score } from "../metrics/metric.js";
import { flips } from "./flips.js";
import { eachOnce, pairedColumns, type Columns } from "./columns.js";
import { analyticDifference, kindOf, momentsOf } from "./difference.js";
import type { Interval } from "./interval.js";
import { approximateRandomization, pairedBootstrapTest } from "./paired-tests.js";
import { smallestDetectable } from "./power.js";
import { assertLevel } from "./resample.js";

/** All that is said of one score against another on the same samples. */
export interface PairedComparison extends Interval {
  readonly samples: number;
  /** Samples by how their own value changes. */
  readonly flips: { readonly better: number; readonly worse: number; readonly same: number };
  /** Two-sided p values of no difference. */
  readonly p: {
    /** Of the test that decides: below 1 - level if and only if the interval leaves 0 out, see {@link analyticDifference}. */
    readonly value: number;
    /** Two others for comparison; nothing is decided by them. */
    readonly bootstrap: number;
    readonly randomization: number;
    /** Exact McNemar, which is `value` for metrics whose samples are right or wrong only; absent for others. */
    readonly mcnemar?: number;
  };
  readonly effect: {
    /** Mean of the samples' changes divided by their standard deviation (Cohen's d_z, 1988); absent where they do not spread. */
    readonly standardized?: number;
    /** Samples better per sample worse, each with half a sample added where one is 0 (Haldane 1956); as for McNemar, absent where none differs. */
    readonly oddsRatio?: number;
  };
  /** The smallest true difference in points that so many samples could have shown (two-sided 5 %, power 80 %). */
  readonly smallestDetectable?: number;
}

/** How to compare. */
export interface CompareOptions {
  /** A whole number from 0 to 2^32 - 1. */
  readonly seed: number;
  /** Resamples of the bootstrap test; 2000 by default. */
  readonly resamples?: number;
  /** Trials of the randomisation; 10,000 by default. */
  readonly trials?: number;
  /** 0.95 by default. */
  readonly level?: number;
}

/**
 * Sets a against b: difference with interval, tests, effect size, flips, and what the samples could have shown.
 * @param a of the same samples as b.
 * @throws BoundaryError when they differ in their number of samples, UsageError for options out of range.
 */
export function comparePaired(a: Score, b: Score, options: CompareOptions): PairedComparison {
  const { level = 0.95 } = options;
  assertLevel(level);
  const [left, right] = pairedColumns([a, b]);
  if (!left || !right) throw new RangeError("a comparison has two sides");
  const counts = flips(a.perSample, b.perSample);
  const isBinary = kindOf(left, right) === "binary";
  const standardized = standardizedChange(a.perSample, b.perSample);
  const detectable = smallestDetectable(left, right);
  const { p, ...interval } = analyticDifference(left, right, eachOnce(left.samples), level);
  return {
    ...interval,
    samples: left.samples,
    flips: counts,
    p: {
      value: p,
      bootstrap: pairedBootstrapTest(left, right, options),
      randomization: approximateRandomization(left, right, options),
      ...(isBinary ? { mcnemar: p } : {}),
    },
    effect: {
      ...(standardized === undefined ? {} : { standardized }),
      ...(isBinary ? oddsRatio(left, right) : {}),
    },
    ...(detectable === undefined ? {} : { smallestDetectable: detectable }),
  };
}

function standardizedChange(a: readonly number[], b: readonly number[]): number | undefined {
  const changes = a.map((value, i) => value - at(b, i));
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  const variance = changes.reduce((sum, change) => sum + (change - mean) ** 2, 0) / (changes.length - 1);
  return variance > 1e-18 ? mean / Math.sqrt(variance) : undefined;
}

function oddsRatio(a: Columns, b: Columns): { readonly oddsRatio?: number } {
  const { changed, up } = momentsOf(a, b, eachOnce(a.samples));
  const down = changed - up;
  if (changed === 0) return {};
  const added = up === 0 || down === 0 ? 0.5 : 0;
  return { oddsRatio: (up + added) / (down + added) };
}
