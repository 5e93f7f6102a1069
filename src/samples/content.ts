import { isRecord } from "./place.js";
import type { Sample } from "./sample.js";

/** What a sample says, as a text: equal for two samples if and only if their prompt variables are, whatever their ids and references. */
export function sampleContent(sample: Sample): string {
  return JSON.stringify(sample.variables, (_, value: unknown) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
}
