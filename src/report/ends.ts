import { isFullEntry } from "../run/entry-names.js";
import type { SweepResult } from "../run/result.js";

/** A candidate of a result. */
export type ResultCandidate = SweepResult["candidates"][number];

/** What one part of the samples says of a candidate. */
export type ResultPart = NonNullable<ResultCandidate["selection"]>;

/** A candidate that a report names by its role. */
export interface End {
  readonly boundary: number;
  /** "base", "full", "chosen", or two of them where one candidate is both. */
  readonly role: string;
  readonly isBase: boolean;
  readonly isFull: boolean;
  readonly isChosen: boolean;
  /** Of base and full, where K was not to be chosen among them: without scores, which are in the confirmation alone. */
  readonly candidate: ResultCandidate;
  /** Whether the result lists the candidate. */
  readonly isListed: boolean;
}

/** Base, full and chosen, in that order; one that stands for two is there once. */
export function endsOf({ candidates, adapter, choice }: SweepResult): End[] {
  const isThere = (keptModules: number): boolean =>
    candidates.some((one) => (keptModules === 0 ? one.keptModules === 0 : isFullEntry(one, { adapter })));
  const bare = (boundary: number, keptModules: number): ResultCandidate[] =>
    isThere(keptModules)
      ? []
      : [{ boundary, boundaries: [boundary], keptModules, bytes: keptModules === 0 ? 0 : adapter.bytes }];
  const all = [...bare(0, 0), ...bare(choice.layers, adapter.modules), ...candidates];
  const ends = all.map((candidate): End => {
    const { boundary, boundaries, keptModules } = candidate;
    const isBase = keptModules === 0;
    const isFull = isFullEntry(candidate, { adapter });
    const isChosen = boundary === choice.boundary || boundaries.includes(choice.boundary);
    const roles = [isBase && "base", isFull && "full", isChosen && "chosen"].filter((role) => role !== false);
    const isListed = candidates.includes(candidate);
    return { boundary, role: roles.join(", "), isBase, isFull, isChosen, candidate, isListed };
  });
  const rank = ({ isBase, isFull }: End): number => (isBase ? 0 : isFull ? 1 : 2);
  return ends.filter(({ role }) => role !== "").sort((a, b) => rank(a) - rank(b));
}

/** "6", or "4 to 6" where boundaries keep the same tensors and so are one candidate. */
export function boundaryText({ boundaries, boundary }: Pick<ResultCandidate, "boundary" | "boundaries">): string {
  const last = boundaries.at(-1) ?? boundary;
  const isRun = boundaries.every((one, i) => one === boundary + i);
  return boundaries.length < 2 ? String(boundary) : isRun ? `${boundary} to ${last}` : boundaries.join(", ");
}
