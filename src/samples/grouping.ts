import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import type { Sample } from "./sample.js";

/** Words of a text: what stands between white space. */
export function wordCount(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** Characters or words to a bucket unless the user says otherwise. */
const BUCKET_SIZE = 50;

/** The group of samples that have no value in the field. */
const NO_VALUE = "(none)";

/**
 * The bucket that a length falls into, both ends included: "0-49", "50-99", ...
 * @param size lengths to a bucket, a whole number from 1.
 */
export function lengthBucket(length: number, size: number = BUCKET_SIZE): string {
  const first = Math.floor(length / size) * size;
  return size === 1 ? String(first) : `${first}-${first + size - 1}`;
}

/**
 * The group that a sample belongs to, or undefined where it has no such field or null in it. `field` names a label of the
 * group or a variable (text, number or boolean); `length:FIELD` and `words:FIELD` the bucket of a text's length in characters
 * (code points) and in words (between white space), `length:FIELD:SIZE` in buckets of that size.
 * Throws {@link UsageError} for a size that cannot be, and for a list or object, which makes no group.
 */
export function groupOf(sample: Sample, field: string): string | undefined {
  const { measure, name, size } = parseField(sample, field);
  const value = valueOf(sample, name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw new UsageError({
      what: `cannot group by ${JSON.stringify(field)}`,
      actual: `a list or an object in the sample ${sample.id}`,
      expected: "a text, a number, true or false",
      fix: "Group by another field.",
    });
  }
  const text = String(value);
  if (measure === undefined) return text;
  return lengthBucket(measure === "length" ? Array.from(text).length : wordCount(text), size);
}

/**
 * Breaks samples down by a field, see {@link groupOf}: the places of each group's samples, groups in natural order (10 behind 9),
 * samples without a value last, as "(none)". Throws {@link UsageError} with the nearest name where no sample has the field.
 */
export function groupSamples(samples: readonly Sample[], field: string): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  const without: number[] = [];
  for (const [index, sample] of samples.entries()) {
    const key = groupOf(sample, field);
    if (key === undefined) {
      without.push(index);
      continue;
    }
    const places = groups.get(key) ?? [];
    groups.set(key, places);
    places.push(index);
  }
  if (groups.size === 0) throw unknownFieldError(samples, field);
  const natural = new Intl.Collator("en", { numeric: true });
  const sorted = [...groups].sort(([a], [b]) => natural.compare(a, b) || (a < b ? -1 : 1));
  return new Map(without.length > 0 ? [...sorted, [NO_VALUE, without]] : sorted);
}

interface GroupField {
  readonly measure: "length" | "words" | undefined;
  readonly name: string;
  readonly size: number;
}

/** A field whose own name has a colon in it comes before a measure. */
function parseField(sample: Sample, field: string): GroupField {
  const [, measure, rest = ""] = /^(length|words):(.+)$/.exec(field) ?? [];
  if ((measure !== "length" && measure !== "words") || valueOf(sample, field) !== undefined) {
    return { measure: undefined, name: field, size: BUCKET_SIZE };
  }
  const [, name = rest, digits] = /^(.+):([^:]*)$/.exec(rest) ?? [];
  if (digits === undefined || valueOf(sample, rest) !== undefined) return { measure, name: rest, size: BUCKET_SIZE };
  const size = Number(digits);
  if (/^\d+$/.test(digits) && size >= 1 && Number.isSafeInteger(size)) return { measure, name, size };
  throw new UsageError({
    what: `the size of the buckets in ${JSON.stringify(field)} is wrong`,
    actual: JSON.stringify(digits),
    expected: `a whole number from 1, as in ${measure}:${name}:100`,
    fix: `Leave it out for buckets of ${BUCKET_SIZE}.`,
  });
}

function valueOf({ group = {}, variables }: Sample, name: string): unknown {
  if (Object.hasOwn(group, name)) return group[name];
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function unknownFieldError(samples: readonly Sample[], field: string): UsageError {
  const names = [
    ...new Set(samples.flatMap(({ group = {}, variables }) => [...Object.keys(group), ...Object.keys(variables)])),
  ];
  const measure = /^(length|words):/.exec(field)?.[0] ?? "";
  return new UsageError({
    what: `no sample has the field to group by`,
    actual: JSON.stringify(field),
    expected: names.length === 0 ? "samples with fields" : `one of ${names.slice(0, 20).join(", ")}`,
    fix:
      names.length === 0
        ? "Leave the grouping out."
        : `Did you mean ${measure}${closest(field.slice(measure.length), names)}?`,
  });
}
