import { z } from "zod";
import { fieldError } from "./field-error.js";
import type { FieldMap } from "./field-map.js";
import { mapAdvice } from "./map-advice.js";
import { defaultId, isRecord, shown, shownFields, type PlacedRow } from "./place.js";
import { hubAnswers, hubTexts, missingReference } from "./reference-fields.js";
import { filledText, idField, MEND, nameFields, text, type NamedRow } from "./row.js";
import type { Sample } from "./sample.js";

const answersForms = 'a list of at least one text, one text, or {"text": [...], "answer_start": [...]}';

/** Exporters write null for a field that is absent, so null is taken as absent. */
const rowSchema = z.object({
  question: filledText,
  context: text.nullish(),
  id: idField,
  answer: filledText.nullish(),
  answers: z
    .union([filledText, z.array(z.string()).min(1, { error: answersForms }), hubAnswers], { error: answersForms })
    .nullish(),
});

type Row = z.infer<typeof rowSchema>;

/**
 * A sample from a row of our own layout: `question`, `context?`, `answer` or `answers`, `id?`; other fields become prompt
 * variables. `answers` may be a list, one text, or the object of the SQuAD sets on the Hugging Face hub, where two empty
 * lists mean "no answer". Where a row has both, `answers` counts. Throws SampleError with place, field and value.
 */
export function sampleFromRow(placed: PlacedRow, map: FieldMap): Sample {
  const named = nameFields(placed, {
    map,
    isReference: (name) => name === "answer" || name === "answers",
    example: '{"question": "...", "answers": ["..."]}',
  });
  const parsed = rowSchema.safeParse(named.fields);
  if (!parsed.success)
    throw fieldError(named.place, named.fields, parsed.error, MEND, (field) => mapAdvice(named, field));
  const row = parsed.data;
  const others = Object.entries(named.fields).filter(
    ([name]) => name !== "id" && name !== "question" && name !== "context" && !named.isReference(name),
  );
  return {
    id: String(row.id ?? defaultId(named.place)),
    variables: {
      question: row.question,
      ...(typeof row.context === "string" ? { context: row.context } : {}),
      ...Object.fromEntries(others),
    },
    references: referencesOf(row, named),
  };
}

function referencesOf({ answer, answers }: Row, row: NamedRow): readonly string[] {
  if (typeof answers === "string") return [answers];
  if (Array.isArray(answers)) return answers;
  if (isRecord(answers)) {
    const texts = hubTexts(answers);
    if (texts.length > 0) return texts;
  }
  if (typeof answer === "string") return [answer];
  throw missingReference(row, {
    ours: "answers",
    actual: isRecord(answers) ? `"answers": ${shown(answers)}` : shownFields(row.fields),
    expected: '"answer" (a text) or "answers" (a list of texts)',
  });
}
