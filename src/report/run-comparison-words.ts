import type { RunComparison } from "./run-curves.js";

/** A place on the axis in words: "K=6", or "75 %" of the layers. */
export function placeText(x: number, axis: RunComparison["axis"]): string {
  return axis === "boundary" ? `K=${x}` : `${Number(x.toFixed(1))} %`;
}

/** The answer of a comparison of runs in words, the most important sentence first. */
export function goodRangeSentences(comparison: RunComparison): string[] {
  const { places, axis, margin } = comparison;
  const shown = places.filter(({ isShown }) => isShown).map(({ x }) => placeText(x, axis));
  const isBetween = places.some(({ values }) => values.some((value) => value?.isBetween));
  return [
    headline(comparison),
    shown.length > 1
      ? `Shown for every run, by paired 95 % intervals: ${shown.join(", ")}.`
      : `No boundary below the full adapter is shown, by paired 95 % intervals, to lose less than ${margin} points in every run.`,
    ...(isBetween
      ? ["Where a run did not try a boundary, its value is read off the straight line between its neighbours."]
      : []),
  ];
}

function headline({ good, places, axis, margin, curves }: RunComparison): string {
  const all = curves.length === 2 ? "both runs" : `all ${curves.length} runs`;
  const [first] = good;
  if (!first) return `No boundary was tried, or lies between tried ones, in ${all}.`;
  if (first.from === places.at(-1)?.x) return `Only the full adapter keeps ${all} within ${margin} points of it.`;
  const verb = good.length > 1 || first.from !== first.to ? "keep" : "keeps";
  const stretches = good.map(({ from, to }) => stretchText(from, to, axis)).join(" and ");
  return `${stretches} ${verb} ${all} within ${margin} points of their own full adapter; the smallest such boundary is ${placeText(first.from, axis)}.`;
}

function stretchText(from: number, to: number, axis: RunComparison["axis"]): string {
  if (from === to) return placeText(from, axis);
  return axis === "boundary"
    ? `K=${from} to ${to}`
    : `${Number(from.toFixed(1))} to ${placeText(to, axis)} of the layers`;
}
