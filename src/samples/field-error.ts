import type { z } from "zod";
import { at } from "../assert.js";
import type { SampleError } from "../errors.js";
import { isRecord, placedError, shown, shownFields, type Place } from "./place.js";

/**
 * Turns the first fault that zod found in `value` into an error that names place, field, value and expectation. The
 * schemas' messages are written as expectations ("a text"). `fixMissing` gives what to do where a field of the outermost
 * object is not there, from its name; by default that is `fix` as well.
 */
export function fieldError(
  place: Place,
  value: unknown,
  error: z.ZodError,
  fix: string,
  fixMissing: (field: string) => string = () => fix,
): SampleError {
  const { path, message: expected } = at(error.issues, 0);
  if (path.length === 0) return placedError(place, { what: "not a sample", actual: shown(value), expected, fix });
  const field = pathText(path);
  const parent = path.slice(0, -1).reduce(step, value);
  const actual = path.reduce(step, value);
  if (actual !== undefined) {
    return placedError(place, { what: `field "${field}" is wrong`, actual: shown(actual), expected, fix }, field);
  }
  return placedError(
    place,
    {
      what: `field "${field}" is missing`,
      actual: isRecord(parent) ? shownFields(parent) : shown(parent),
      expected,
      fix: path.length === 1 && isRecord(parent) ? fixMissing(field) : fix,
    },
    field,
  );
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index > 0 ? "." : ""}${String(key)}`))
    .join("");
}

function step(value: unknown, key: PropertyKey): unknown {
  if (Array.isArray(value)) return typeof key === "number" ? (value as readonly unknown[])[key] : undefined;
  return isRecord(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
}
