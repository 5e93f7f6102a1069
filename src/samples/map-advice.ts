import { clarityOf, isMisspelt, roleOf, roleOfOurs, type FieldRole } from "./field-roles.js";
import type { FieldMap } from "./field-map.js";
import { isRecord } from "./place.js";

/** A row whose fields are to be named, as its file has it. */
export interface AdvisedRow {
  /** The row's fields under their own names. */
  readonly own: Readonly<Record<string, unknown>>;
  /** What the user's `--map` says already. */
  readonly map: FieldMap;
  /** Whether a field of that name holds references, under our name or the file's. */
  readonly isReference: (name: string) => boolean;
}

/** Our names for what is asked, each with our name for the reference that goes with it. */
const referenceOf: Readonly<Record<string, string>> = {
  question: "answers",
  dialogue: "summary",
  source: "target",
  text: "label",
  prediction: "references",
};

/** `--map` as a user writes it. */
export function mapOption(map: FieldMap): string {
  return `--map ${Object.entries(map)
    .map(([ours, theirs]) => `${ours}=${theirs}`)
    .join(",")}`;
}

/**
 * What to do about a field of ours that a row does not have: the whole `--map` to write, with what the user mapped already and the
 * reference where that is missing too. Only fields whose names say that they are what is missing are proposed, each for one of ours;
 * where no name says it, NAME stands in its place.
 */
export function mapAdvice(row: AdvisedRow, ours: string): string {
  const found = bestField(row, ours, row.map);
  const mapping = { ...row.map, [ours]: found ?? "NAME" };
  const reference = referenceOf[ours];
  const isAnswered = Object.entries(row.own).some(([name, value]) => row.isReference(name) && value !== null);
  const isMapped = Object.keys(row.map).some((name) => row.isReference(name));
  const answer = reference === undefined || isAnswered || isMapped ? undefined : bestField(row, reference, mapping);
  const map = answer === undefined || reference === undefined ? mapping : { ...mapping, [reference]: answer };
  const place = found === undefined ? " in place of NAME" : "";
  return `If the field has another name, say which${place}: ${mapOption(map)}`;
}

/** The row's field that is most clearly what we call `ours`, of those that no other of our names has taken. */
export function bestField({ own }: Pick<AdvisedRow, "own">, ours: string, taken: FieldMap): string | undefined {
  const role = roleOfOurs(ours);
  const used = new Set(Object.values(taken).map((name) => name.split(".")[0]));
  const free = Object.entries(own).filter(([name, value]) => !used.has(name) && isFit(value, role) && name !== "id");
  const misspelt = free.find(([name]) => isMisspelt(name, ours) && (roleOf(name) ?? role) === role);
  if (misspelt) return misspelt[0];
  const names = free.map(([name]) => name);
  const named = names.filter((name) => roleOf(name) === role);
  if (named.length > 0 || role !== "prediction") return named.sort((a, b) => clarityOf(a) - clarityOf(b))[0];
  // What a model put out is often called just that, next to a reference with a name of its own.
  return names.find((name) => roleOf(name) === "reference" && /output|response|completion|reply/i.test(name));
}

function isFit(value: unknown, role: FieldRole | undefined): boolean {
  if (role !== "reference") return typeof value === "string";
  if (Array.isArray(value))
    return value.length > 0 && value.every((entry) => typeof entry === "string" || typeof entry === "number");
  return ["string", "number", "boolean"].includes(typeof value) || (isRecord(value) && Array.isArray(value["text"]));
}
