import { boundaryName } from "../adapter/mask.js";
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
