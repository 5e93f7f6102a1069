import { entryName } from "../run/entry-names.js";
import type { SweepResult } from "../run/result.js";
import { boundaryText, type ResultCandidate } from "./ends.js";

/** What a run tried, in words: boundaries, or the masks of another strategy. */
export interface Subject {
  readonly one: string;
  readonly several: string;
  /** Head of a column of them. */
  readonly head: string;
  /** What they stand along. */
  readonly axis: string;
}

export function subjectOf({ strategy }: Pick<SweepResult, "strategy">): Subject {
  if (strategy === undefined) return { one: "boundary", several: "boundaries", head: "K", axis: "K" };
  const axis = strategy.nested ? "layers kept" : "masks by bytes kept";
  return { one: "mask", several: "masks", head: "mask", axis };
}

/** "K=6", "K=4 to 6" where boundaries keep the same tensors, or a mask's name. */
export function candidateText(candidate: Pick<ResultCandidate, "boundary" | "boundaries" | "name">): string {
  return candidate.name === undefined ? `K=${boundaryText(candidate)}` : entryName(candidate);
}

/** {@link candidateText} under a head that says what it is: "6", "4 to 6", a mask's name. */
export function candidateCell(candidate: Pick<ResultCandidate, "boundary" | "boundaries" | "name">): string {
  return candidate.name ?? boundaryText(candidate);
}
