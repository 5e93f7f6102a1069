import type { Candidate } from "../../src/adapter/mask.js";
import { boundaryCandidates } from "../../src/adapter/mask.js";
import type { Score } from "../../src/metrics/metric.js";
import type { CandidateScores } from "../../src/choice/scores.js";
import { adapterWith, moduleAt } from "../adapter/modules.js";

/** Candidate K of an adapter with 64 bytes in each of four layers. */
export function candidateAt(boundary: number): Candidate {
  const adapter = adapterWith([0, 1, 2, 3].map((layer) => moduleAt(layer)));
  return boundaryCandidates(adapter, 4, [boundary])[0]!;
}

const LABELS: Readonly<Record<string, string>> = { em: "EM", f1: "F1" };

/** A candidate with these per-sample values (0-1) in each metric. */
export function scoredAt(boundary: number, perSample: Readonly<Record<string, readonly number[]>>): CandidateScores {
  const entries = Object.entries(perSample).map(([name, values]) => {
    const value = (100 * values.reduce((sum, one) => sum + one, 0)) / values.length;
    const scored: Score = {
      metric: name,
      label: LABELS[name] ?? name,
      isBinary: values.every((one) => one === 0 || one === 1),
      value,
      n: values.length,
      signature: "test",
      perSample: values,
      statistics: values.map((one) => [one]),
      corpusValue: (sums, count) => (100 * (sums[0] ?? Number.NaN)) / count,
    };
    return [name, scored] as const;
  });
  const count = Object.values(perSample)[0]?.length ?? 0;
  return {
    candidate: candidateAt(boundary),
    samples: count,
    scores: new Map(entries),
    groups: new Map(),
    answers: { count, meanTokens: 2, cutAtLimit: 0, empty: 0, looping: 0 },
  };
}
