import type { Drop, DropReason } from "../choice/race-track.js";
import { signed } from "../choice/format-points.js";
import type { SweepResult } from "./result.js";

export type RaceEntry = NonNullable<SweepResult["race"]>;

/** What a race left out, in a sentence. */
export function raceNote(
  { dropped, answers, allAnswers, layerTokens, allLayerTokens }: RaceEntry,
  samples: number,
  nameOf: (boundary: number) => string,
): string {
  if (dropped.length === 0) return `The race could drop no boundary: all answered all ${samples} samples.`;
  const few = dropped.length === 1 ? "1 boundary" : `${dropped.length} boundaries`;
  const were = dropped.length === 1 ? "was" : "were";
  const passing = dropped.filter(({ reason }) => reason === "passes");
  const ratio = allLayerTokens / Math.max(1, layerTokens);
  return (
    `${few} ${were} dropped by the race before answering all ${samples} samples, and ${dropped.length === 1 ? "has" : "have"} no score: ` +
    `${answers} of ${allAnswers} answers were needed, about ${ratio.toFixed(1)} times fewer layer-tokens. ` +
    (passing.length === 0
      ? ""
      : `${passing.map(({ boundary }) => nameOf(boundary)).join(", ")} above the chosen one ${passing.length === 1 ? "is" : "are"} taken to pass without all answers. `) +
    `The same command without --race answers the rest and reuses these.`
  );
}

const REASONS: Readonly<Record<DropReason, (drop: Drop, nameOf: (boundary: number) => string) => string>> = {
  behind: ({ against }, nameOf) => `too far behind ${nameOf(against)} to be chosen`,
  below: ({ against }, nameOf) => `cannot be reached: ${nameOf(against)} above it fails`,
  passes: ({ reach, limit }) =>
    `as good as certain to pass (lower end ${signed(reach ?? Number.NaN)} at least, above ${signed(limit ?? Number.NaN)}), and so does a smaller one`,
  floor: ({ reach, limit }) =>
    `as good as certain to break a floor: ${signed(reach ?? Number.NaN)} at most, and at least ${signed(limit ?? Number.NaN)} is asked`,
  unneeded: ({ against }, nameOf) => `the rule takes ${nameOf(against)} without a look at it`,
};

/** Boundaries that left for one reason at one time. */
export interface DropGroup {
  readonly boundaries: readonly number[];
  readonly samples: number;
  readonly reason: string;
}

/** Who left a race when and why, in words; neighbours that left together are one group. */
export function dropGroups(dropped: RaceEntry["dropped"], nameOf: (boundary: number) => string): DropGroup[] {
  const groups: { boundaries: number[]; samples: number; reason: string }[] = [];
  for (const drop of dropped) {
    const last = groups.at(-1);
    const { boundary, samples } = drop;
    const reason = REASONS[drop.reason](drop, nameOf);
    if (last?.samples === samples && last.reason === reason) last.boundaries.push(boundary);
    else groups.push({ boundaries: [boundary], samples, reason });
  }
  return groups;
}
