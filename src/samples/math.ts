import { z } from "zod";
import type { FieldMap } from "./field-map.js";
import { placedError, shown, type PlacedRow } from "./place.js";
import { readReferences } from "./reference-fields.js";
import { checkFields, filledText, MEND, nameFields, sampleOf } from "./row.js";
import type { ReadSamples } from "./loaded.js";

const ANSWERS = ["answers", "answer", "references", "reference"] as const;

/** Fields that hold the way to the answer in sets of this kind: beside an answer they would give it away. */
const WORKED = new Set(["solution", "rationale", "explanation", "final_answer"]);

const rowSchema = z.object({ question: filledText });

/** What stands before the final number of a published GSM8K answer; the scripts that score it demand just this. */
const MARK = /#### \S/;

/**
 * Samples of mathematical word problems: rows with `question` and `answer`. The published GSM8K layout, format "gsm8k", is
 * the one whose answers end in `#### ` and the final number; the whole answer is the reference there, for the metrics to
 * extract from. Throws SampleError for another row, and for an answer without the mark in a file where others have it.
 *
 * Source: github.com/openai/grade-school-math, `grade_school_math/data`.
 */
export function readMath(rows: readonly PlacedRow[], map: FieldMap): ReadSamples {
  const read = rows.map((placed) => {
    const row = nameFields(placed, {
      map,
      isReference: (name) => ANSWERS.some((answer) => answer === name),
      example: '{"question": "...", "answer": "... #### 42"}',
    });
    checkFields(rowSchema, row);
    const { field, texts } = readReferences(row, ANSWERS);
    const sample = sampleOf(row, { references: texts, isHidden: (name) => WORKED.has(name) && !(name in map) });
    return { place: placed.place, sample, field };
  });
  if (!read.some(({ sample }) => sample.references.some((text) => text.includes("####")))) {
    return { format: "jsonl", placed: read };
  }
  for (const { place, sample, field } of read) {
    const unmarked = sample.references.find((text) => !MARK.test(text));
    if (unmarked === undefined) continue;
    throw placedError(
      place,
      {
        what: `field "${field}" has no final number`,
        actual: shown(unmarked.slice(-40)),
        expected: 'a text that ends in "#### " and the number, as others of this file',
        fix: MEND,
      },
      field,
    );
  }
  return { format: Object.keys(map).length > 0 ? "jsonl" : "gsm8k", placed: read };
}
