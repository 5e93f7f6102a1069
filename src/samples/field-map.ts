import { closest, distance } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import { roleOf } from "./chat/message.js";
import { mayStandFor, roleOfOurs } from "./field-roles.js";
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
    fields.set(ours, mappedValue(place, row, map, [ours, theirs]));
    if (isReference(ours)) referenceFields.add(theirs);
  }
  return { fields: Object.fromEntries(fields), referenceFields };
}

/** @param map of which the pair is an entry. */
function mappedValue(
  place: Place,
  row: Readonly<Record<string, unknown>>,
  map: FieldMap,
  [ours, theirs]: readonly [ours: string, theirs: string],
): unknown {
  // A field whose own name has dots in it comes before the way into nested fields.
  if (Object.hasOwn(row, theirs)) return row[theirs];
  let value: unknown = row;
  for (const [index, name] of theirs.split(".").entries()) {
    const container: unknown = value;
    const found = isRecord(container) || Array.isArray(container) ? Object.entries(container) : [];
    const isFromEnd = Array.isArray(container) && /^-\d+$/.test(name);
    const key = isFromEnd ? String(container.length + Number(name)) : name;
    const entry = found.find(([field]) => field === key);
    if (entry === undefined) {
      const parent = theirs.split(".").slice(0, index);
      const near = Array.isArray(container) ? undefined : nearName(name, found, map, ours);
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
    if (index > 0 && isRecord(container)) assertSpeaker(place, container, ours, theirs);
  }
  return value;
}

/** The name that was probably meant: alike, not taken for another of our fields, and not the name of something else. */
function nearName(
  name: string,
  found: readonly (readonly [string, unknown])[],
  map: FieldMap,
  ours: string,
): string | undefined {
  const taken = new Set(Object.entries(map).flatMap(([mapped, theirs]) => (mapped === ours ? [] : [theirs])));
  const names = found.map(([field]) => field).filter((field) => !taken.has(field) && mayStandFor(field, ours));
  if (names.length === 0) return undefined;
  const near = closest(name, names);
  return distance(name, near) <= Math.max(2, near.length / 2) ? near : undefined;
}

/** What the assistant says is never the question, and what the user says never the answer, whatever row the turns are counted in. */
function assertSpeaker(place: Place, turn: Readonly<Record<string, unknown>>, ours: string, theirs: string): void {
  const speaker = roleOf(turn);
  const role = roleOfOurs(ours);
  if (!(role === "question" && speaker === "assistant") && !(role === "reference" && speaker === "user")) return;
  throw placedError(
    place,
    {
      what: `--map ${ours}=${theirs} takes what the ${speaker} says`,
      expected: `what the ${role === "question" ? "user" : "assistant"} says`,
      fix: "Name the turn of the other speaker; negative numbers count from the end, as in messages.-1.content.",
    },
    theirs,
  );
}
