import { defined } from "../assert.js";
import { UsageError } from "../errors.js";
import type { FieldMap } from "./field-map.js";
import type { PlacedRow } from "./place.js";
import { readReferences, soleReferenceField } from "./reference-fields.js";
import { nameFields, type NamedRow } from "./row.js";

/** A row under our names, with its references. */
interface ReferencedRow {
  readonly row: NamedRow;
  readonly references: readonly string[];
}

/** How to find the references of rows whose layout is not known. */
interface ReferencedRowsOptions {
  readonly map: FieldMap;
  /** Our names for the field with the references; a plural and its singular are one. */
  readonly names: readonly string[];
  /** A row, for messages. */
  readonly example: string;
  /** Whether a reference that stands alone may be the empty text. */
  readonly mayBeEmpty: boolean;
}

/**
 * The references of rows of any layout: from the field that the map names for one of our names, else from the one field that
 * has such a name. The first row decides for all. Throws SampleError where no field or more than one could be meant,
 * {@link UsageError} for a map that gives the references twice.
 */
export function referencedRows(rows: readonly PlacedRow[], options: ReferencedRowsOptions): readonly ReferencedRow[] {
  const { map, names, example, mayBeEmpty } = options;
  const mapped = mappedName(map, names);
  let decided = mapped === undefined ? undefined : [mapped];
  return rows.map((placed) => {
    if (mapped === undefined) {
      const field = soleReferenceField(nameFields(placed, { map, example, isReference: () => false }), names);
      decided ??= names.filter((name) => singular(name) === singular(field));
    }
    const fields = decided ?? names;
    const row = nameFields(placed, { map, example, isReference: (name) => fields.includes(name) });
    return { row, references: readReferences(row, fields, { mayBeEmpty }).texts };
  });
}

function mappedName(map: FieldMap, names: readonly string[]): string | undefined {
  const [first, second] = names.filter((name) => Object.hasOwn(map, name));
  if (first === undefined || second === undefined) return first;
  throw new UsageError({
    what: "--map names the references twice",
    actual: [first, second].map((name) => `${name}=${defined(map[name], "a mapped field")}`).join(","),
    expected: "one field with the references",
    fix: "Keep one of the two.",
  });
}

function singular(name: string): string {
  return name.replace(/s$/, "");
}
