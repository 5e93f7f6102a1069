import { z } from "zod";
import { fieldError } from "./field-error.js";
import { applyMap, type FieldMap } from "./field-map.js";
import { mapAdvice, type AdvisedRow } from "./map-advice.js";
import { defaultId, isRecord, placedError, shown, type Place, type PlacedRow } from "./place.js";
import type { Sample } from "./sample.js";

/** A text, also the empty one. */
export const text = z.string({ error: "a text" });

/** A text with more than white space in it. */
export const filledText = z
  .string({ error: "a text that is not empty" })
  .refine((value) => value.trim() !== "", { error: "a text that is not empty" });

/** A sample's id. Exporters write null for a field that is absent, so null is taken as absent. */
export const idField = z.union([filledText, z.number()], { error: "a text or a number" }).nullish();

/** What to do about a value that is wrong. */
export const MEND = "Mend the value, or take the sample out.";

/** How a layout calls the fields of its rows. */
export interface RowNaming {
  /** Our field names to the file's. */
  readonly map: FieldMap;
  /** Whether a field of that name holds references: such fields are never prompt variables. */
  readonly isReference: (name: string) => boolean;
  /** A row of this layout, for messages. */
  readonly example: string;
}

/** A row whose fields can be found under our names. */
export interface NamedRow extends AdvisedRow {
  readonly place: Place;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Whether references lie somewhere in a field, as in `meta` for `--map answers=meta.gold`. */
  readonly isAroundReference: (name: string) => boolean;
}

/** A row under our names. Throws SampleError for a row that is not an object, and for a mapped field that is not there. */
export function nameFields({ place, value }: PlacedRow, { map, isReference, example }: RowNaming): NamedRow {
  if (!isRecord(value)) {
    throw placedError(place, {
      what: "not an object",
      actual: shown(value),
      expected: `an object such as ${example}`,
      fix: "Write one JSON object for each sample.",
    });
  }
  const { fields, referenceFields } = applyMap(place, value, map, isReference);
  const containers = new Set(
    [...referenceFields].filter((name) => !Object.hasOwn(value, name)).map((name) => name.split(".")[0] ?? name),
  );
  return {
    place,
    fields,
    own: value,
    map,
    isReference: (name) => isReference(name) || referenceFields.has(name),
    isAroundReference: (name) => containers.has(name),
  };
}

/** The fields that `schema` describes. Throws SampleError that names place, field and value, and `--map` for a missing one. */
export function checkFields<S extends z.ZodType>(schema: S, row: NamedRow): z.output<S> {
  const parsed = schema.safeParse(row.fields);
  if (parsed.success) return parsed.data;
  throw fieldError(row.place, row.fields, parsed.error, MEND, (field) => mapAdvice(row, field));
}

/** What a layout makes of a row beyond taking its fields as variables. */
interface SampleParts {
  readonly references: readonly string[];
  /** Further variables; they win over fields of the same name. */
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly group?: Readonly<Record<string, string>>;
  /** Fields that are no variables besides the id and those with references. */
  readonly isHidden?: (name: string) => boolean;
}

/** The sample of a row: each field that is neither the id nor has references in it is a variable. */
export function sampleOf(row: NamedRow, parts: SampleParts): Sample {
  const { references, variables = {}, group = {}, isHidden = () => false } = parts;
  const id = checkFields(z.object({ id: idField }), row).id;
  const others = Object.entries(row.fields).filter(
    ([name]) => name !== "id" && !row.isReference(name) && !row.isAroundReference(name) && !isHidden(name),
  );
  return {
    id: String(id ?? defaultId(row.place)),
    variables: { ...Object.fromEntries(others), ...variables },
    references,
    ...(Object.keys(group).length > 0 ? { group } : {}),
  };
}
