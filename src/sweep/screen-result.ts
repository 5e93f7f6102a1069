import type { SweepResult } from "../run/result.js";
import type { ScreenOutcome } from "./economy/screen.js";

type ScreenEntry = NonNullable<SweepResult["screen"]>;

/** What a screening measured, for a reader. */
const METHOD =
  "probability of the first reference, teacher-forced (1 / perplexity); share of the best candidate's, paired one-sided 95 % bounds (Student's t)";

/** A screening as `result.json` holds it. */
export function screenEntry({ candidates, limit, samples, layerTokens }: ScreenOutcome): ScreenEntry {
  return { method: METHOD, samples, layerTokens, limit, candidates: candidates.map((one) => ({ ...one })) };
}

/** What a screening left out, in a sentence. */
export function screenNote({ candidates, samples, limit }: ScreenEntry, nameOf: (boundary: number) => string): string {
  const failed = candidates.filter(({ passed }) => !passed).map(({ boundary }) => nameOf(boundary));
  const share = Math.round(100 * limit);
  if (failed.length === 0) return `Screening by the references' probability (${samples} samples) left nothing out.`;
  return (
    `Screened out by the references' probability (${samples} samples), less than ${share} % of the best: ${failed.join(", ")}. ` +
    `Nothing was generated with ${failed.length === 1 ? "it" : "them"}; the same command without --screen does.`
  );
}
