import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import { isRecord, placedError, shownFields, type Place } from "./place.js";

/** Our field names to the file's, as `--map` gives them. */
export type FieldMap = Readonly<Record<string, string>>;

/**
 * Reads the text of `--map`: `question=q,answers=gold.text` gives `{ question: "q", answers: "gold.text" }`, ours first.
 * Throws {@link UsageError} that quotes the piece at fault.
 */
export function parseMap(text: string): Record<string, string> {
  const entries = new Map<string, string>();
  for (const piece of text.split(",")) {
    const match = /^\s*([A-Za-z_]\w*)\s*=\s*(.*\S)\s*$/.exec(piece);
    const ours = match?.[1];
    const theirs = match?.[2];
    if (ours === undefined || theirs === undefined) {
      throw new UsageError({
        what: "a piece of --map cannot be read",
        actual: JSON.stringify(piece),
        expected: "ours=theirs",
        fix: "Write it like --map question=q,answers=gold",
      });
    }
    if (entries.has(ours)) {
      throw new UsageError({
        what: `--map names the field "${ours}" twice`,
        actual: JSON.stringify(piece),
        expected: "each of our fields once",
        fix: "Take one of the two out.",
      });
    }
    entries.set(ours, theirs);
  }
  return Object.fromEntries(entries);
}

/** A row seen through a map. */
interface MappedRow {
  /** The row with our names added. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The row's own names that were mapped to one of our names for references: they hold references, not prompt variables. */
  readonly referenceFields: ReadonlySet<string>;
}

/**
 * Adds the mapped fields to a row under our names. Where the map names references, the row's own fields with our names for
 * references (`isReference`) give way. Throws SampleError for a mapped field that the row does not have.
 */
export function applyMap(
  place: Place,
  row: Readonly<Record<string, unknown>>,
  map: FieldMap,
  isReference: (name: string) => boolean,
): MappedRow {
  const mapsReferences = Object.keys(map).some(isReference);
  const fields = new Map(Object.entries(row).filter(([name]) => !mapsReferences || !isReference(name)));
  const referenceFields = new Set<string>();
  for (const [ours, theirs] of Object.entries(map)) {
    fields.set(ours, mappedValue(place, row, ours, theirs));
    if (isReference(ours)) referenceFields.add(theirs);
  }
  return { fields: Object.fromEntries(fields), referenceFields };
}

function mappedValue(place: Place, row: Readonly<Record<string, unknown>>, ours: string, theirs: string): unknown {
  // A field whose own name has dots in it comes before the way into nested fields.
  if (Object.hasOwn(row, theirs)) return row[theirs];
  let value: unknown = row;
  for (const [index, name] of theirs.split(".").entries()) {
    const container: unknown = value;
    const found = isRecord(container) || Array.isArray(container) ? Object.entries(container) : [];
    const entry = found.find(([key]) => key === name);
    if (entry === undefined) {
      const names = found.map(([key]) => key);
      const near = names.length > 0 ? closest(name, names) : undefined;
      const parent = theirs.split(".").slice(0, index);
      throw placedError(
        place,
        {
          what: `the field "${theirs}" that --map names for "${ours}" does not exist`,
          actual: `${isRecord(container) ? shownFields(container) : "no fields"}${index > 0 ? ` in ${parent.join(".")}` : ""}`,
          fix: near === undefined ? "Correct --map." : `Did you mean ${ours}=${[...parent, near].join(".")}?`,
        },
        theirs,
      );
    }
    value = entry[1];
  }
  return value;
}
