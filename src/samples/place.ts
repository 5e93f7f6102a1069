import { SampleError, type ErrorParts } from "../errors.js";

/** Where in its file a sample stands. */
export interface Place {
  readonly path: string;
  /** For messages, such as "line 3" or "sample 12". */
  readonly label: string;
  /** 1-based; absent where samples do not stand on lines of their own. */
  readonly line?: number;
}

/** One row of a file, not yet checked. */
export interface PlacedRow {
  readonly place: Place;
  readonly value: unknown;
}

/** A problem in one place of the file; the message begins with file and place. */
export function placedError(place: Place, parts: ErrorParts, field?: string): SampleError {
  return new SampleError(
    {
      path: place.path,
      ...(place.line === undefined ? {} : { line: place.line }),
      ...(field === undefined ? {} : { field }),
    },
    { ...parts, what: `${place.path}, ${place.label}: ${parts.what}` },
  );
}

/** The id of a sample that brings none: "line-3" for line 3. */
export function defaultId(place: Place): string {
  return place.label.replace(" ", "-");
}

/** A value as JSON for messages, shortened to about 60 characters; "nothing" for undefined. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** The fields of a row for messages, at most twenty of them. */
export function shownFields(row: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(row);
  const more = names.length > 20 ? ` and ${names.length - 20} more` : "";
  return names.length === 0 ? "no fields" : names.slice(0, 20).join(", ") + more;
}

/** Whether a JSON value is an object, not a list and not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
