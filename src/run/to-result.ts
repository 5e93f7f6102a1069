import { defined } from "../assert.js";
import type { Candidate } from "../adapter/mask.js";
import type { Metric } from "../metrics/metric.js";
import { scoreIntervals } from "../statistics/interval.js";
import type { Choice } from "../choice/choose.js";
import type { Confirmation } from "../choice/confirm.js";
import type { SweepResult } from "./result.js";
import type { Floor } from "../choice/rules.js";
import { scoreOf, type CandidateScores } from "../choice/scores.js";

type CandidateEntry = SweepResult["candidates"][number];
type PartEntry = NonNullable<CandidateEntry["selection"]>;

/**
 * The candidates as `result.json` holds them, by ascending K, each with its scores on the parts that it answered.
 * @param unscored candidates that have not answered all of any part: they are listed without scores.
 */
export function candidateEntries(
  selection: readonly CandidateScores[],
  holdout: readonly CandidateScores[],
  seed: number,
  unscored: readonly Pick<
    CandidateEntry,
    "boundary" | "boundaries" | "name" | "keeps" | "keptModules" | "bytes"
  >[] = [],
): CandidateEntry[] {
  const byBoundary = new Map<number, CandidateEntry>();
  for (const [part, scored] of [
    ["selection", selection],
    ["holdout", holdout],
  ] as const) {
    const parts = partEntries(scored, seed);
    for (const [at, { candidate }] of scored.entries()) {
      const entry = byBoundary.get(candidate.number) ?? bareEntry(candidate);
      const { number: boundary } = candidate;
      const own = parts[at];
      byBoundary.set(boundary, own === undefined ? entry : { ...entry, [part]: own });
    }
  }
  for (const { boundary, boundaries, name, keeps, keptModules, bytes } of unscored) {
    if (byBoundary.has(boundary)) continue;
    const words = name === undefined || keeps === undefined ? {} : { name, keeps };
    byBoundary.set(boundary, { boundary, boundaries, ...words, keptModules, bytes });
  }
  return [...byBoundary.values()].sort((a, b) => a.boundary - b.boundary);
}

/** A candidate as `result.json` holds it, without scores. */
export function bareEntry({
  number: boundary,
  boundaries,
  name,
  keeps,
  keptModules,
  bytes,
}: Candidate): CandidateEntry {
  const words = keeps === undefined ? {} : { name, keeps };
  return { boundary, boundaries: [...boundaries], ...words, keptModules, bytes };
}

/** Each candidate's scores with intervals from the same resamples. */
function partEntries(scored: readonly CandidateScores[], seed: number): PartEntry[] {
  const names = [...(scored[0]?.scores.keys() ?? [])];
  const intervals = new Map(
    names.map((name) => [
      name,
      scoreIntervals(
        scored.map((one) => scoreOf(one, name)),
        { seed },
      ),
    ]),
  );
  return scored.map(({ scores, groups, answers }, at) => ({
    answers: { ...answers },
    scores: Object.fromEntries(
      [...scores].map(([name, { value, n, signature }]) => {
        const { low, high, method } = defined(intervals.get(name)?.[at], "the interval of a score");
        return [name, { value, low, high, method, n, signature }];
      }),
    ),
    groups: Object.fromEntries(
      [...groups].map(([group, own]) => [
        group,
        Object.fromEntries([...own].map(([name, { value, n }]) => [name, { value, n }])),
      ]),
    ),
  }));
}

/** A choice as `result.json` holds it. */
export function choiceEntry(
  { chosen, rule, reasons, bestBoundary, excluded, steps }: Choice,
  { margin, floors, layers }: { margin: number; floors: readonly Floor[]; layers: number },
): SweepResult["choice"] {
  return {
    rule,
    ...(rule === "no-worse" ? { margin } : {}),
    floors: [...floors],
    boundary: chosen.candidate.number,
    layers,
    bestBoundary,
    reasons: [...reasons],
    excluded: [...excluded],
    steps: [...steps],
  };
}

/** A confirmation as `result.json` holds it. */
export function confirmationEntry({ comparisons, foldBoundaries, ...rest }: Confirmation): SweepResult["confirmation"] {
  return {
    ...rest,
    comparisons: [...comparisons],
    ...(foldBoundaries === undefined ? {} : { foldBoundaries: [...foldBoundaries] }),
  };
}

/** Headings by the metrics' names. */
export function labelsOf(metrics: readonly Metric[]): Record<string, string> {
  return Object.fromEntries(metrics.map(({ name, label }) => [name, label]));
}

/** How the note on perplexity begins. */
export const PERPLEXITY = "Perplexity of the references";

/** What points of nll are in the words that training logs have. */
export function perplexityNotes({ comparisons, part, samples }: Confirmation, name: string): string[] {
  const nll = comparisons.find(({ metric }) => metric === "nll");
  if (!nll) return [];
  const shown = (value: number): string => `${Math.exp(-value / 100).toFixed(3)} (NLL ${(-value / 100).toFixed(4)})`;
  const where = part === "holdout" ? `the ${samples} holdout samples` : `${samples} samples`;
  return [
    `${PERPLEXITY} on ${where}, and nats a token: base ${shown(nll.base)}, full ${shown(nll.full)}, ${name} ${shown(nll.chosen)}. A point of nll is 0.01 nats: about 1 % of perplexity.`,
  ];
}
