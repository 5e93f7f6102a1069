import type { JournalRow } from "../../src/run/journal.js";

/** A journal row; what is not given is that of a short answer. */
export function journalRow(fields: Partial<JournalRow> & { readonly key: string }): JournalRow {
  return {
    boundary: 3,
    sampleId: "s1",
    part: "selection",
    output: "Rome",
    tokens: [5, 6],
    stop: "eog",
    promptTokens: 10,
    prefillMs: 1.5,
    decodeMs: 2.5,
    decodedTokens: 2,
    ...fields,
  };
}
