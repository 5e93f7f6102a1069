import type { Findings } from "./finding.js";
import { placeOfPath } from "./peft-places.js";

/** Collects the modules of a PEFT file that belong to another part of the model than its text decoder. */
export class OtherParts {
  private readonly byPart = new Map<string, Set<string>>();

  /** Takes a module that belongs to another part. Returns whether it does. */
  take(modulePath: string): boolean {
    const place = placeOfPath(modulePath);
    if (place.kind !== "other-part") return false;
    this.byPart.set(place.part, (this.byPart.get(place.part) ?? new Set()).add(modulePath));
    return true;
  }

  get paths(): readonly string[] {
    return [...this.byPart.values()].flatMap((paths) => [...paths]);
  }

  /** Says what is left out. @param isAll whether nothing else is in the file, so that nothing is left. */
  report(findings: Findings, isAll: boolean): void {
    const counts = [...this.byPart].map(
      ([part, paths]) => `${paths.size} ${part} module${paths.size === 1 ? "" : "s"}`,
    );
    const all = new Intl.ListFormat("en").format(counts);
    const [first] = this.paths;
    if (first === undefined) return;
    const isOne = this.paths.length === 1;
    if (isAll) {
      findings.error(
        "no-decoder",
        `Nothing of the text decoder is adapted: the file holds only ${all} (first: ${first}).`,
        "llama.cpp applies adapters to the text decoder only: give one that adapts it, or merge this one into the model with PEFT's merge_and_unload().",
      );
      return;
    }
    findings.warning(
      "other-part",
      `${all} ${isOne ? "is" : "are"} ignored: llama.cpp has no place for ${isOne ? "it" : "them"} (first: ${first}).`,
    );
  }
}
