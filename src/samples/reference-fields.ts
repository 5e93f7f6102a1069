import { z } from "zod";
import { at } from "../assert.js";
import { fieldError } from "./field-error.js";
import { mapAdvice, mapOption } from "./map-advice.js";
import { isRecord, placedError, shownFields } from "./place.js";
import { MEND, type NamedRow } from "./row.js";
import type { SampleError } from "../errors.js";

/** The answers of the SQuAD sets on the Hugging Face hub, where two empty lists mean "no answer". */
export const hubAnswers = z.object({ text: z.array(z.string()), answer_start: z.unknown().optional() });

const orMore = 'a list of at least one text, or {"text": [...], "answer_start": [...]}';

/** Numbers are taken as JSON writes them; whole ones beyond 2^53 would come out altered. */
function referencesSchema(isFit: (text: string) => boolean, error: string) {
  const scalar = z.union([
    z.string().refine(isFit, { error }),
    z.number().refine((value) => !Number.isInteger(value) || Number.isSafeInteger(value), { error }),
    z.boolean(),
  ]);
  const listed = z.union([z.string(), z.number(), z.boolean()]);
  return z.union([scalar, z.array(listed).min(1, { error }), hubAnswers], { error });
}

const filledReferences = referencesSchema((text) => text.trim() !== "", `a text that is not empty, ${orMore}`);
const references = referencesSchema(() => true, `a text, ${orMore}`);

/** The references of a row, and the field they were found in. */
interface FoundReferences {
  readonly field: string;
  readonly texts: readonly string[];
}

/** How references are read. */
interface ReferenceReading {
  /** Whether a reference that stands alone may be the empty text. In a list it always may. */
  readonly mayBeEmpty?: boolean;
}

/**
 * The references of a row from the first of these fields that is there and not null: a text, number or boolean, a list of
 * them, or the hub's SQuAD answers. Throws SampleError for another value, and where none of the fields is there.
 */
export function readReferences(
  row: NamedRow,
  names: readonly string[],
  { mayBeEmpty = false }: ReferenceReading = {},
): FoundReferences {
  const field = names.find((name) => isPresent(row, name));
  if (field === undefined) throw noReference(row, names);
  const parsed = z.object({ [field]: mayBeEmpty ? references : filledReferences }).safeParse(row.fields);
  if (!parsed.success) {
    throw fieldError(row.place, row.fields, parsed.error, MEND);
  }
  const found = parsed.data[field];
  const texts = Array.isArray(found) ? found.map(String) : isRecord(found) ? hubTexts(found) : [String(found)];
  if (texts.length === 0) throw noReference(row, names);
  return { field, texts };
}

/** The texts of the hub's SQuAD answers: the one empty text where its lists are both empty, none where only the texts are. */
export function hubTexts({ text, answer_start: starts }: z.output<typeof hubAnswers>): readonly string[] {
  if (text.length > 0) return text;
  return Array.isArray(starts) && starts.length === 0 ? [""] : [];
}

/**
 * The one field of a row that can hold its references, by our names for them. A plural wins over its singular, as in our
 * own layout. Throws SampleError where several unrelated fields could be meant, with the `--map` to write, and where none is there.
 */
export function soleReferenceField(row: NamedRow, names: readonly string[]): string {
  const present = names.filter((name) => isPresent(row, name));
  const candidates = present.filter((name) => !present.includes(`${name}s`));
  const [first, second] = candidates;
  if (first === undefined) throw noReference(row, names);
  if (second === undefined) return first;
  throw placedError(row.place, {
    what: "more than one field may hold the reference",
    actual: candidates.join(", "),
    expected: "one of them",
    fix: `Say which: ${candidates.map((name) => mapOption({ ...row.map, answers: name })).join(" or ")}`,
  });
}

/** The error for a row that none of our names for references gives one. */
export function noReference(row: NamedRow, names: readonly string[]): SampleError {
  const [ours = "answers"] = names;
  const list = names.map((name) => `"${name}"`);
  return missingReference(row, {
    ours,
    actual: shownFields(row.fields),
    expected: list.length > 1 ? `${list.slice(0, -1).join(", ")} or ${at(list, list.length - 1)}` : list.join(""),
  });
}

/** The error for a sample without a reference, which we call `ours`. */
export function missingReference(
  row: NamedRow,
  { ours, actual, expected }: { ours: string; actual: string; expected: string },
): SampleError {
  const what = "the sample has no reference";
  return placedError(row.place, { what, actual, expected, fix: mapAdvice(row, ours) }, ours);
}

function isPresent({ fields }: NamedRow, name: string): boolean {
  return Object.hasOwn(fields, name) && fields[name] !== null && fields[name] !== undefined;
}
