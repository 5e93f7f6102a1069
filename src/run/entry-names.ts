import { boundaryName } from "../adapter/mask.js";
import { assertBoundaries, type FinishedRun } from "./load-run.js";
import type { SweepResult } from "./result.js";

type Entry = SweepResult["candidates"][number];

/** What tells a candidate's name. */
type Named = Pick<Entry, "boundary"> & { readonly name?: string | undefined };

/** What a candidate of a result is called: `K=12`, `layers 3-7`. */
export function entryName({ boundary, name }: Named): string {
  return name ?? boundaryName(boundary);
}

/** What the candidate of that number is called. */
export function nameIn(
  { candidates, strategy }: Pick<SweepResult, "candidates" | "strategy">,
  boundary: number,
): string {
  const found = candidates.find((entry) => entry.boundary === boundary || entry.boundaries.includes(boundary));
  return found === undefined || strategy === undefined ? boundaryName(boundary) : entryName(found);
}

/** Whether a candidate is the full adapter: masks that only shrink keep all modules too. */
export function isFullEntry(
  { keptModules, name }: Pick<Entry, "keptModules"> & { readonly name?: string | undefined },
  { adapter }: Pick<SweepResult, "adapter">,
): boolean {
  return keptModules === adapter.modules && (name === undefined || name === "full");
}

/** The smallest of the boundaries that are one candidate stands for all of them. */
function candidateAt(result: FinishedRun["result"], wanted: number): number {
  return result.candidates.find(({ boundaries }) => boundaries.includes(wanted))?.boundary ?? wanted;
}

/**
 * K of base, full, chosen or `K=12`, as the run names the candidate that keeps the same tensors; of other strategies the candidate's number.
 * @throws RunFolderError for a K where no boundaries were tried.
 */
export function boundaryOf({ folder, result }: Pick<FinishedRun, "folder" | "result">, which: string): number {
  if (which === "base") return candidateAt(result, 0);
  if (which === "chosen") return candidateAt(result, result.choice.boundary);
  if (which === "full") {
    const full = result.candidates.find((candidate) => isFullEntry(candidate, result));
    return full?.boundary ?? candidateAt(result, result.choice.layers);
  }
  assertBoundaries({ folder, result }, `name one by ${which}`);
  return candidateAt(result, Number(which.slice(2)));
}
