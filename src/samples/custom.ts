import type { FieldMap } from "./field-map.js";
import type { ReadSamples } from "./loaded.js";
import { placedError, shownFields, type PlacedRow } from "./place.js";
import { referencedRows } from "./referenced-rows.js";
import { sampleOf } from "./row.js";

/** Names that hold the references wherever one of them stands alone. */
const NAMES = ["answers", "answer", "references", "reference", "target", "label", "output", "completion"] as const;

/**
 * Samples of any rows: every field is a variable but the id and the one with the references. That is the field that the map
 * names for `answers` (or another of our names for references), else the one that has such a name. Throws SampleError where
 * no field or more than one could be meant, and for a row with nothing else in it.
 */
export function readCustom(rows: readonly PlacedRow[], map: FieldMap): ReadSamples {
  const example = '{"text": "...", "answer": "..."}';
  const placed = referencedRows(rows, { map, names: NAMES, example, mayBeEmpty: false }).map(({ row, references }) => {
    const sample = sampleOf(row, { references });
    if (Object.keys(sample.variables).length > 0) return { place: row.place, sample };
    throw placedError(row.place, {
      what: "the sample has nothing to put into a prompt",
      actual: shownFields(row.fields),
      expected: "at least one field besides the reference",
      fix: "Add the fields that the prompt uses.",
    });
  });
  return { format: "jsonl", placed };
}
