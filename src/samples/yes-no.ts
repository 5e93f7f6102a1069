import { z } from "zod";
import type { FieldMap } from "./field-map.js";
import { isResponseSelection, readResponseSelection } from "./response-selection.js";
import type { ReadSamples } from "./loaded.js";
import { placedError, shown, type PlacedRow } from "./place.js";
import { readReferences } from "./reference-fields.js";
import { checkFields, filledText, nameFields, sampleOf, type NamedRow } from "./row.js";
import type { Sample } from "./sample.js";
import { isHeader, rowsOfColumns, rowsUnderHeader, tsvLines } from "./tsv.js";

const LABELS = ["label", "answers", "answer", "references", "reference"] as const;

const rowSchema = z.object({ question: filledText });

/** A label that is a number, however it is written. */
const NUMBER = /^[+-]?\d+(\.\d+)?$/;

/**
 * Samples to be answered by yes or no, or by another label: rows with `question` (or `text`, which is a question then) and
 * `label`. 1 and true become "yes", 0 and false "no"; a label that is a text stays as it is. The label is also the group.
 * Throws SampleError for another row and for another number as a label, such as the -1 of sets without labels.
 */
export function readYesNo(rows: readonly PlacedRow[], map: FieldMap): ReadSamples {
  return {
    format: "jsonl",
    placed: rows.map((placed) => ({ place: placed.place, sample: sampleOfLabel(placed, map) })),
  };
}

/**
 * Samples of a tab-separated table: a dialogue and a candidate response ({@link readResponseSelection}), columns that the first
 * line names (`label` among them), or two columns without a header, text and label. Where every first text of two columns
 * is 0 or 1 and not every second, the label comes first. Throws SampleError for another table.
 */
export function readYesNoTable(path: string, text: string, map: FieldMap): ReadSamples {
  const lines = tsvLines(path, text);
  const [first] = lines;
  if (isResponseSelection(first)) return readResponseSelection(path, lines, map);
  const mapped = Object.values(map);
  const hasHeader = mapped.length > 0 ? isHeader(first, mapped) : LABELS.some((name) => isHeader(first, [name]));
  const isNumbered = (column: number): boolean => lines.every(({ cells }) => /^[01]$/.test(cells[column] ?? ""));
  const columns = isNumbered(0) && !isNumbered(1) ? ["label", "text"] : ["text", "label"];
  const rows = hasHeader
    ? rowsUnderHeader(path, lines)
    : rowsOfColumns(lines, columns, 'For more columns, name them in a first line, "label" among them.');
  return { ...readYesNo(rows, map), format: "tsv-label" };
}

function sampleOfLabel(placed: PlacedRow, map: FieldMap): Sample {
  const row = nameFields(placed, {
    map,
    isReference: (name) => LABELS.some((label) => label === name),
    example: '{"question": "...", "label": "yes"}',
  });
  const { text, question = text } = row.fields;
  checkFields(rowSchema, { ...row, fields: { ...row.fields, ...(question === undefined ? {} : { question }) } });
  const { field, texts } = readReferences(row, LABELS);
  const references = texts.map((label) => answerOf(label, field, row));
  const [label = ""] = references;
  return sampleOf(row, { references, variables: { question }, group: { label } });
}

function answerOf(label: string, field: string, { place, fields }: NamedRow): string {
  const value = fields[field];
  if (label === "1" || value === true) return "yes";
  if (label === "0" || value === false) return "no";
  if (!NUMBER.test(label)) return label;
  throw placedError(
    place,
    {
      what: `field "${field}" is wrong`,
      actual: shown(value),
      expected: "1 or true for yes, 0 or false for no, or a text",
      fix: "Take samples without a label out; where numbers stand for classes, use --task custom or write their names.",
    },
    field,
  );
}
