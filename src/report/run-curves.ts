import { at } from "../assert.js";
import { scoreTexts } from "../choice/scores.js";
import type { Score } from "../metrics/metric.js";
import { differenceInterval } from "../statistics/difference.js";
import { assertBoundaries, loadRun, type FinishedRun } from "../run/load-run.js";
import type { SweepResult } from "../run/result.js";
import { answerText } from "../tasks/answer-text.js";
import { endsOf } from "./ends.js";
import { runNames } from "./report-input.js";
import { runScoring } from "./run-scoring.js";

/** A boundary of a run against the run's own full adapter, by its primary metric on the selection, in points. */
export interface RelativePoint {
  readonly boundary: number;
  readonly difference: number;
  /** Ends of the paired 95 % interval; absent where the journal does not hold the answers. */
  readonly low?: number;
  readonly high?: number;
}

/** A run's curve beside those of others. */
export interface RunCurve {
  /** Name of the run's folder; a second run of the same name gets a number. */
  readonly name: string;
  readonly result: SweepResult;
  /** By ascending boundary; each boundary that was asked for. */
  readonly points: readonly RelativePoint[];
}

/** What one run says of a place on the axis. */
export interface RunValue {
  /** To the run's full adapter, in points. */
  readonly difference: number;
  readonly low?: number;
  readonly high?: number;
  /** Where the run did not try the place: read off the straight line between its neighbours. */
  readonly isBetween: boolean;
}

/** A place on the axis with what every run says of it. */
export interface CommonPlace {
  readonly x: number;
  /** In the order of the runs; undefined outside of what a run tried. */
  readonly values: readonly (RunValue | undefined)[];
  /** Whether no run loses more than the margin. */
  readonly isGood: boolean;
  /** Whether every run tried the place and shows that it does not: the lower end of the interval stays above -margin. */
  readonly isShown: boolean;
}

/** Several runs on one axis. */
export interface RunComparison {
  readonly curves: readonly RunCurve[];
  /** K where all models have the same number of layers, else K in percent of the layers. */
  readonly axis: "boundary" | "percent";
  /** Points that a boundary may lose against its run's full adapter. */
  readonly margin: number;
  readonly places: readonly CommonPlace[];
  /** Stretches of places that are good for all runs, ends included. */
  readonly good: readonly { readonly from: number; readonly to: number }[];
}

/**
 * Sets runs side by side: each run's primary metric against its own full adapter, and the boundaries at which no run loses more than the
 * margin. After figure 4 of arXiv 2503.23360, which looks for a range of boundaries that suits several data sets.
 * @throws what {@link loadRun} does.
 */
export async function compareRuns(folders: readonly string[], margin: number): Promise<RunComparison> {
  const names = runNames(folders);
  const runs = await Promise.all(folders.map((folder) => loadRun(folder)));
  for (const run of runs) assertBoundaries(run, "stand on one axis with other runs");
  const curves = runs.map((run, i) => ({ name: at(names, i), result: run.result, points: relativePoints(run) }));
  return commonPlaces(curves, margin);
}

/** {@link compareRuns} for curves that are at hand. */
export function commonPlaces(curves: readonly RunCurve[], margin: number): RunComparison {
  const axis = new Set(curves.map(({ result }) => result.choice.layers)).size === 1 ? "boundary" : "percent";
  const xs = curves.flatMap((curve) => curve.points.map(({ boundary }) => placeOf(boundary, curve, axis)));
  const places = [...new Set(xs)]
    .sort((a, b) => a - b)
    .map((x): CommonPlace => {
      const values = curves.map((curve) => valueAt(curve, x, axis));
      return {
        x,
        values,
        isGood: values.every((value) => value !== undefined && value.difference >= -margin - 1e-9),
        isShown: values.every((value) => value?.low !== undefined && value.low > -margin),
      };
    });
  const good: { from: number; to: number }[] = [];
  for (const [i, { x, isGood }] of places.entries()) {
    if (!isGood) continue;
    const last = good.at(-1);
    if (last && places[i - 1]?.isGood) last.to = x;
    else good.push({ from: x, to: x });
  }
  return { curves, axis, margin, places, good };
}

/** Where a boundary of a run lies on the axis: K, or percent of the run's layers. */
export function placeOf(boundary: number, { result }: Pick<RunCurve, "result">, axis: RunComparison["axis"]): number {
  return axis === "boundary" ? boundary : (100 * boundary) / result.choice.layers;
}

function relativePoints(run: FinishedRun): RelativePoint[] {
  const { result } = run;
  const full = endsOf(result).find(({ isFull }) => isFull)?.candidate;
  const { primary, reading } = runScoring(run);
  const samples = run.samples.filter(({ part }) => part === "selection").map(({ sample }) => sample);
  const scoreAt = (boundary: number): Score | undefined => {
    const rows = run.answers(boundary, "selection");
    const texts = rows?.map(({ output }) => answerText(output, reading));
    return (
      texts && scoreTexts(texts, samples, { metrics: [primary], groupBy: undefined }, rows).scores.get(primary.name)
    );
  };
  const ofFull = full && scoreAt(full.boundary);
  const fullValue = full?.selection?.scores[result.metric]?.value ?? ofFull?.value;
  if (!full || fullValue === undefined) return [];
  const points = result.candidates.flatMap((candidate): RelativePoint[] => {
    const value = candidate.selection?.scores[result.metric]?.value;
    if (value === undefined) return [];
    const ends = candidate === full ? { low: 0, high: 0 } : intervalOf(scoreAt(candidate.boundary), ofFull);
    return candidate.boundaries.map((boundary) => ({ boundary, difference: value - fullValue, ...ends }));
  });
  const withFull = result.candidates.includes(full)
    ? points
    : [...points, { boundary: full.boundary, difference: 0, low: 0, high: 0 }];
  return withFull.sort((a, b) => a.boundary - b.boundary);
}

function intervalOf(own: Score | undefined, full: Score | undefined): Pick<RelativePoint, "low" | "high"> {
  if (!own || !full) return {};
  const { low, high } = differenceInterval(own, full);
  return { low, high };
}

function valueAt(curve: RunCurve, x: number, axis: RunComparison["axis"]): RunValue | undefined {
  const at = (point: RelativePoint): number => placeOf(point.boundary, curve, axis);
  const left = curve.points.findLast((point) => at(point) <= x + 1e-9);
  const right = curve.points.find((point) => at(point) >= x - 1e-9);
  if (!left || !right) return undefined;
  if (left === right) {
    const { difference, low, high } = left;
    return { difference, isBetween: false, ...(low === undefined || high === undefined ? {} : { low, high }) };
  }
  const share = (x - at(left)) / (at(right) - at(left));
  return { difference: left.difference + share * (right.difference - left.difference), isBetween: true };
}
