import { dropGroups } from "../run/race-words.js";
import { nameIn } from "../run/entry-names.js";
import { subjectOf } from "./subject.js";
import type { SweepResult } from "../run/result.js";
import { counted } from "./figures.js";

/** Boundaries that have no score, with what they answered and why they answered no more. */
export interface LeftOut {
  /** "K=0 to 8", "K=3, 5", or names of masks. */
  readonly boundaries: string;
  readonly answered: string;
  readonly reason: string;
}

type LeftOutInput = Pick<SweepResult, "race" | "screen" | "data" | "strategy" | "candidates">;

/** What a race or a screening left out, by ascending K; neighbours that left together are one. */
export function leftOut(result: LeftOutInput): LeftOut[] {
  const { race, screen, data, strategy } = result;
  const subject = subjectOf(result);
  const total = data.selection.length;
  const raced = dropGroups(race?.dropped ?? [], (boundary) => nameIn(result, boundary)).map(
    ({ boundaries, samples, reason }) => ({
      boundaries,
      samples,
      reason,
    }),
  );
  const failed = (screen?.candidates ?? []).filter(({ passed }) => !passed);
  const screened =
    failed.length === 0
      ? []
      : [
          {
            boundaries: failed.map(({ boundary }) => boundary),
            samples: 0,
            reason: `screened out: the references are less than ${Math.round(100 * (screen?.limit ?? 0))} % as probable as with the best ${subject.one}`,
          },
        ];
  return [...screened, ...raced]
    .sort((a, b) => (a.boundaries[0] ?? 0) - (b.boundaries[0] ?? 0))
    .map(({ boundaries, samples, reason }) => ({
      boundaries: strategy
        ? boundaries.map((boundary) => nameIn(result, boundary)).join(", ")
        : `K=${listText(boundaries)}`,
      answered: `${samples} of ${counted(total, "sample")}`,
      reason,
    }));
}

/** Title of the table of scores: whether every boundary is in it. */
export function selectionTitle(result: LeftOutInput): string {
  const { one, several } = subjectOf(result);
  const count = counted(result.data.selection.length, "sample");
  return leftOut(result).length === 0
    ? `Selection: ${count}, every ${one}`
    : `Selection: ${count}, the ${several} that answered all of them`;
}

/** Runs of whole numbers as "0 to 8". */
function listText(boundaries: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const boundary of boundaries) {
    const last = runs.at(-1);
    if (last && boundary === last[1] + 1) last[1] = boundary;
    else runs.push([boundary, boundary]);
  }
  return runs
    .map(([from, to]) => (from === to ? String(from) : to === from + 1 ? `${from}, ${to}` : `${from} to ${to}`))
    .join(", ");
}
