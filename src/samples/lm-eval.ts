import { UsageError } from "../errors.js";
import type { FieldMap } from "./field-map.js";
import { isRecord, placedError, shown, type Place, type PlacedRow } from "./place.js";
import type { Prediction } from "./prediction.js";
import { readReferences } from "./reference-fields.js";
import { nameFields } from "./row.js";

/** Whether a row is one of the samples that lm-evaluation-harness writes with `--log_samples`. */
export function isLmEvalRow(value: unknown): boolean {
  return isRecord(value) && ("filtered_resps" in value || "resps" in value) && ("doc_id" in value || "doc" in value);
}

/** The outputs of such a file. */
interface LmEvalOutputs {
  readonly placed: readonly { readonly place: Place; readonly sample: Prediction }[];
  readonly notes: readonly string[];
}

/**
 * The samples of lm-evaluation-harness: what its filter left of a response (`filtered_resps`), or with the map `prediction=resps` the
 * response itself, against `target`. Lists of one text are that text. The variables are the document's fields.
 *
 * Throws {@link UsageError} for several filters of which none is chosen, {@link SampleError} for several different responses to one
 * document and for log-likelihoods, which are no texts.
 */
export function readLmEval(
  path: string,
  rows: readonly PlacedRow[],
  map: FieldMap,
  filter: string | undefined,
): LmEvalOutputs {
  const field =
    map["prediction"] ??
    (rows.some(({ value }) => isRecord(value) && "filtered_resps" in value) ? "filtered_resps" : "resps");
  const chosen = rowsOfFilter(path, rows, field, filter);
  const placed = chosen.rows.map((row, index) => ({ place: row.place, sample: outputOf(row, index, map, field) }));
  const notes =
    chosen.filter === undefined || field !== "filtered_resps"
      ? []
      : [`Outputs as the filter "${chosen.filter}" left them.`];
  return { placed, notes };
}

function outputOf(placed: PlacedRow, index: number, map: FieldMap, field: string): Prediction {
  const { place } = placed;
  const references = Object.keys(map).find((name) => name !== "prediction") ?? "target";
  const row = nameFields(placed, {
    map: { target: "target", ...map, prediction: field },
    isReference: (name) => name === references,
    example: '{"doc_id": 0, "filtered_resps": ["..."], "target": "..."}',
  });
  const { doc, doc_id: id } = row.own;
  return {
    id: typeof id === "number" || typeof id === "string" ? String(id) : `doc-${index}`,
    variables: isRecord(doc) ? doc : {},
    references: readReferences(row, [references], { mayBeEmpty: true }).texts,
    prediction: soleText(place, row.fields["prediction"], field),
  };
}

/** Each document once: of the filter that is named, or the only one. Of responses before any filter, those of the first filter. */
function rowsOfFilter(
  path: string,
  rows: readonly PlacedRow[],
  field: string,
  filter: string | undefined,
): { readonly rows: readonly PlacedRow[]; readonly filter: string | undefined } {
  const filterOf = ({ value }: PlacedRow): unknown => (isRecord(value) ? value["filter"] : undefined);
  const names = [...new Set(rows.map(filterOf).filter((name) => typeof name === "string"))];
  const [first, second] = names;
  if (filter !== undefined && !names.includes(filter)) {
    throw new UsageError({
      what: `${path} has no filter of that name`,
      actual: filter,
      expected: names.length === 0 ? "no filter: the rows name none" : names.join(", "),
      fix: names.length === 0 ? "Leave --filter out." : "Name one of them with --filter.",
    });
  }
  const wanted = filter ?? first;
  if (filter === undefined && second !== undefined && field === "filtered_resps") {
    throw new UsageError({
      what: `${path} has the outputs of several filters`,
      actual: names.join(", "),
      expected: "one of them",
      fix: `Choose: ${names.map((name) => `--filter ${name}`).join(" or ")}. For the responses before any filter: --map prediction=resps`,
    });
  }
  return { rows: names.length === 0 ? rows : rows.filter((row) => filterOf(row) === wanted), filter: wanted };
}

/** The one text in a value: a text, or lists around it; of several equal ones the first. */
function soleText(place: Place, value: unknown, field: string): string {
  const texts = [value].flat(10) as readonly unknown[];
  const [first] = texts;
  if (typeof first === "string" && texts.every((text) => text === first)) return first;
  const isLikelihood = texts.some((text) => typeof text === "boolean" || /^(true|false)$/i.test(String(text)));
  throw placedError(
    place,
    {
      what: isLikelihood ? `"${field}" holds log-likelihoods of choices` : `"${field}" does not hold one text`,
      actual: shown(value),
      expected: "one response",
      fix: isLikelihood
        ? "The harness itself scores such tasks: its results are in its results_*.json."
        : `Say which one: --map prediction=${field}.0${Array.isArray(value) && Array.isArray(value[0]) ? ".0" : ""}`,
    },
    field,
  );
}
