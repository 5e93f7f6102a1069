import { z } from "zod";
import type { FieldMap } from "./field-map.js";
import type { ReadSamples } from "./loaded.js";
import type { PlacedRow } from "./place.js";
import { readReferences } from "./reference-fields.js";
import { checkFields, filledText, nameFields, sampleOf, text, type NamedRow } from "./row.js";
import type { SampleFormat } from "./sample.js";

const OTHER_NAMES = ["references", "reference", "answers", "answer"] as const;

const isSummary = (name: string): boolean => /^summary\d*$/.test(name);
/** Annotators of DialogSum wrote a topic with each summary. */
const isTopic = (name: string): boolean => /^topic\d*$/.test(name);

const rowSchema = z.object({ dialogue: filledText, fname: text.nullish() });

/**
 * Samples to be summarised: rows with `dialogue` and `summary`, or `summary1`, `summary2`, ... for several references. A file
 * is DialogSum's (format "dialogsum") when its first row has `fname`, topics or numbered summaries, otherwise SAMSum's
 * ("samsum"). Topics belong to the summaries: they are labels of the group, never variables. Throws SampleError for another row.
 *
 * Sources: SAMSum, arXiv 1911.12237 (`train.json` and so on); DialogSum, github.com/cylnlp/dialogsum (`DialogSum_Data`).
 */
export function readSummaries(rows: readonly PlacedRow[], map: FieldMap): ReadSamples {
  const named = rows.map((placed) =>
    nameFields(placed, {
      map,
      isReference: (name) => isSummary(name) || OTHER_NAMES.some((other) => other === name),
      example: '{"dialogue": "...", "summary": "..."}',
    }),
  );
  const format = Object.keys(map).length > 0 ? "jsonl" : formatOf(named[0]);
  const placed = named.map((row) => {
    const { fname } = checkFields(rowSchema, row);
    const id = row.fields["id"] ?? (format === "dialogsum" ? fname : undefined);
    const identified = id === undefined ? row : { ...row, fields: { ...row.fields, id } };
    const sample = sampleOf(identified, {
      references: summariesOf(row),
      group: topicsOf(row),
      isHidden: (name) => isTopic(name) || name === "fname",
    });
    return { place: row.place, sample };
  });
  return { format, placed };
}

function formatOf(row: NamedRow | undefined): SampleFormat {
  const names = Object.keys(row?.fields ?? {});
  if (names.some((name) => name === "fname" || isTopic(name) || /^summary\d+$/.test(name))) return "dialogsum";
  return names.includes("summary") ? "samsum" : "jsonl";
}

/** The numbered summaries in their order behind an unnumbered one. */
function summariesOf(row: NamedRow): readonly string[] {
  const fields = Object.entries(row.fields).filter(([name, value]) => isSummary(name) && value !== null);
  const names = fields.map(([name]) => name).sort((a, b) => Number(a.slice(7)) - Number(b.slice(7)));
  if (names.length === 0) return readReferences(row, ["summary", ...OTHER_NAMES]).texts;
  return names.flatMap((name) => readReferences(row, [name]).texts);
}

function topicsOf({ fields }: NamedRow): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      isTopic(name) && typeof value === "string" ? [[name, value]] : [],
    ),
  );
}
