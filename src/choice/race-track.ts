import { defined } from "../assert.js";
import { UsageError } from "../errors.js";
import type { Score } from "../metrics/metric.js";
import { columnsOf, type Columns } from "../statistics/columns.js";
import { expectedError, expectedLow, outlookOf, type Outlook } from "../statistics/outlook.js";
import type { RuleSettings } from "./rules.js";

/**
 * Probability with which a prediction may fail on either side, by rule. At 0.05 `best` and `one-se` keep their choice in three to five sweeps of six
 * and next to never take one that is shown to be worse; 0.1 spares a fifth more and changes the choice twice as often. What
 * `no-worse` takes to pass it never tests on all samples, so there it is 0.01 (eval/results/race.md).
 */
export const PREDICTION_ERRORS: Readonly<Record<string, number>> = {
  best: 0.05,
  "one-se": 0.05,
  "no-worse": 0.01,
  paper: 0.01,
};

/** {@link PREDICTION_ERRORS} of a rule. @throws UsageError for a rule of the user's own, of which nobody knows whom it can still choose. */
export function predictionErrorOf(rule: string): number {
  const error = PREDICTION_ERRORS[rule];
  if (error !== undefined) return error;
  throw new UsageError({
    what: `--race cannot tell when the rule ${rule} can no longer choose a boundary`,
    expected: `--rule ${Object.keys(PREDICTION_ERRORS).join(", ")}`,
    fix: "Leave --race out; --screen nll works with every rule.",
  });
}

/** A candidate in a race. */
export interface Racer {
  readonly number: number;
  readonly boundaries: readonly number[];
}

/** What a race needs to know beforehand. */
export interface RaceSettings extends RuleSettings {
  /** Samples of each block, in the order in which blocks are answered. */
  readonly blocks: readonly number[];
  /** Probability with which one prediction may fail on either side: see {@link outlookOf}. */
  readonly error: number;
}

/** Why a candidate left the race. */
export const dropReasons = ["behind", "below", "passes", "floor", "unneeded"] as const;
export type DropReason = (typeof dropReasons)[number];

/** A candidate that left the race before it had answered every sample, and why. */
export interface Drop {
  readonly boundary: number;
  readonly reason: DropReason;
  /** Samples that it had answered. */
  readonly samples: number;
  /** K of the candidate that decided it. */
  readonly against: number;
  /** The nearest that the predicted difference (`behind`, `floor`) or the lower end of its interval (`passes`) comes to `limit`, in points. */
  readonly reach?: number | undefined;
  readonly limit?: number | undefined;
}

/** The first samples' statistics of a candidate in one metric. */
type Seen = Pick<Score, "isBinary" | "isUnbounded" | "corpusValue"> & { readonly statistics: (readonly number[])[] };

/** Who has answered what, and what follows from it for all samples. Candidates are named by their place, by ascending K; full is the last. */
export class RaceTrack {
  readonly total: number;
  private readonly drops = new Map<number, Drop>();
  private readonly answered: number[];
  private readonly seen: Map<string, Seen>[];

  constructor(
    readonly racers: readonly Racer[],
    readonly settings: RaceSettings,
  ) {
    this.total = settings.blocks.reduce((sum, size) => sum + size, 0);
    this.answered = racers.map(() => 0);
    this.seen = racers.map(() => new Map<string, Seen>());
  }

  get full(): number {
    return this.racers.length - 1;
  }

  /** Blocks that a candidate has answered. */
  blocks(at: number): number {
    return defined(this.answered[at], "the blocks of a racer");
  }

  isFinished(at: number): boolean {
    return this.blocks(at) === this.settings.blocks.length;
  }

  samples(at: number): number {
    return this.settings.blocks.slice(0, this.blocks(at)).reduce((sum, size) => sum + size, 0);
  }

  boundary(at: number): number {
    return defined(this.racers[at], "a racer").number;
  }

  /** Places that have not been dropped. */
  get alive(): number[] {
    return [...this.racers.keys()].filter((at) => !this.drops.has(at));
  }

  /** By ascending K. */
  get dropped(): Drop[] {
    return [...this.drops.values()].sort((a, b) => a.boundary - b.boundary);
  }

  isDropped(at: number): boolean {
    return this.drops.has(at);
  }

  /** Takes the scores of a candidate's next block, by metric. */
  record(
    at: number,
    scores: ReadonlyMap<string, Pick<Score, "isBinary" | "isUnbounded" | "corpusValue" | "statistics">>,
  ): void {
    const own = this.seen[at];
    if (!own) throw new RangeError(`no candidate at ${at}`);
    for (const [metric, { statistics, ...score }] of scores) {
      const known = own.get(metric);
      if (known) known.statistics.push(...statistics);
      else own.set(metric, { ...score, statistics: [...statistics] });
    }
    this.answered[at] = this.blocks(at) + 1;
  }

  /** Takes a candidate out that is neither finished nor full. */
  drop(at: number, reason: DropReason, against: number, ends: { reach?: number; limit?: number } = {}): void {
    if (this.drops.has(at) || at === this.full || this.isFinished(at)) return;
    this.drops.set(at, {
      boundary: this.boundary(at),
      reason,
      samples: this.samples(at),
      against: this.boundary(against),
      ...ends,
    });
  }

  /** The difference a - b on all samples, predicted from those that both have answered. */
  outlook(a: number, b: number, metric: string): Outlook {
    const [left, right] = this.pair(a, b, metric);
    return outlookOf(left, right, this.total, this.level);
  }

  /** The lower end of the 95 % interval of a - b on all samples: where it will lie between. */
  lowOutlook(a: number, b: number, metric: string): Outlook {
    const [left, right] = this.pair(a, b, metric);
    const { estimate, low, high } = outlookOf(left, right, this.total, this.level);
    const expected = expectedLow(left, right, this.total, 0.95);
    return { estimate: expected, low: expected + low - estimate, high: expected + high - estimate };
  }

  /** Standard error that a - b will have on all samples, in points. */
  error(a: number, b: number, metric: string): number {
    const [left, right] = this.pair(a, b, metric);
    return expectedError(left, right, this.total);
  }

  /** Level of a two-sided prediction that fails on either side with the error of one. */
  private get level(): number {
    return 1 - 2 * this.settings.error;
  }

  private pair(a: number, b: number, metric: string): [Columns, Columns] {
    const count = Math.min(this.samples(a), this.samples(b));
    return [this.columns(a, metric, count), this.columns(b, metric, count)];
  }

  private columns(at: number, metric: string, count: number): Columns {
    const found = this.seen[at]?.get(metric);
    if (!found || count === 0) throw new RangeError(`no score for ${metric} at ${at}`);
    return columnsOf({ ...found, statistics: found.statistics.slice(0, count) });
  }
}
