import type { Score } from "../metrics/metric.js";
import { bcaEnds, percentileEnds } from "./bootstrap-ends.js";
import { columnsOf, eachOnce, leaveOneOut, pairedColumns, type Columns } from "./columns.js";
import { wilsonEnds } from "./proportions.js";
import { assertLevel, RESAMPLES, resampledValues, type ResampleOptions } from "./resample.js";

/** An estimate with its confidence interval, all on the 0-100 scale (a difference: -100 to 100). */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  /** Share of such intervals that hold the true value, such as 0.95. */
  readonly level: number;
  /** How the ends were found, in words for a reader. */
  readonly method: string;
  /** True where the samples show no spread at all, so that the interval rests on their number alone, or says nothing. */
  readonly allEqual: boolean;
}

/** How to make an interval of a score. */
export interface ScoreIntervalOptions extends ResampleOptions {
  /** 0.95 by default. */
  readonly level?: number;
  /**
   * `auto` by default: Wilson's score interval for a share of zeros and ones, BCa for anything else; both keep their level, BCa also for
   * skewed metrics (eval/results/simulation.md).
   */
  readonly method?: "auto" | "bca" | "percentile";
}

/**
 * Interval of a score over its samples. Where all samples are equal, a bootstrap shows nothing: a share of zeros and ones has Wilson's interval
 * then too, anything else an interval without width, and says so.
 * @throws BoundaryError without samples, UsageError for options out of range.
 */
export function scoreInterval(score: Score, options: ScoreIntervalOptions): Interval {
  return intervalsOf([columnsOf(score)], options)[0] ?? noWidth(Number.NaN, options.level);
}

/**
 * {@link scoreInterval} of several scores of the same samples, all from the same resamples: faster than one by one, and paired.
 * @throws BoundaryError when they differ in their number of samples.
 */
export function scoreIntervals(scores: readonly Score[], options: ScoreIntervalOptions): Interval[] {
  return scores.length === 0 ? [] : intervalsOf(pairedColumns(scores), options);
}

function intervalsOf(all: readonly Columns[], options: ScoreIntervalOptions): Interval[] {
  const { level = 0.95, method = "auto", resamples = RESAMPLES } = options;
  assertLevel(level);
  const values = resampledValues(all, options);
  return all.map((columns, i): Interval => {
    const estimate = columns.corpusValue(
      columns.columns.map((column) => column.reduce((sum, value) => sum + value, 0)),
      columns.samples,
    );
    const allEqual = isConstant(columns);
    if (columns.kind === "binary" && (allEqual || method === "auto")) return wilson(columns, estimate, level, allEqual);
    if (allEqual) return noWidth(estimate, level);
    const resampled = values[i] ?? new Float64Array();
    const ends =
      method === "percentile"
        ? percentileEnds(resampled, level)
        : bcaEnds(resampled, estimate, leaveOneOut(columns, eachOnce(columns.samples)), level);
    const name = method === "percentile" ? "percentile bootstrap" : "BCa bootstrap";
    return { estimate, ...ends, level, method: `${name}, ${resamples} resamples`, allEqual: false };
  });
}

/** Whether no resample can differ from another. */
function isConstant({ columns }: Columns): boolean {
  return columns.every((column) => column.every((value) => value === column[0]));
}

function wilson({ samples }: Columns, estimate: number, level: number, allEqual: boolean): Interval {
  const { low, high } = wilsonEnds((estimate / 100) * samples, samples, level);
  return { estimate, low: 100 * low, high: 100 * high, level, method: "Wilson score interval", allEqual };
}

function noWidth(estimate: number, level = 0.95): Interval {
  const method = "none: all samples are equal, which says nothing of the spread";
  return { estimate, low: estimate, high: estimate, level, method, allEqual: true };
}
