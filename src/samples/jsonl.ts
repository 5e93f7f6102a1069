import { z } from "zod";
import { fieldError, missingFieldFix } from "./field-error.js";
import { applyMap, type FieldMap } from "./field-map.js";
import { isRecord, placedError, shown, shownFields, type Place, type PlacedRow } from "./place.js";
import type { Sample } from "./sample.js";

const text = z.string({ error: "a text" });
const filledText = z
  .string({ error: "a text that is not empty" })
  .refine((value) => value.trim() !== "", { error: "a text that is not empty" });

const answersForms = 'a list of at least one text, one text, or {"text": [...], "answer_start": [...]}';

const hubAnswers = z.object({ text: z.array(z.string()), answer_start: z.unknown().optional() });

/** Exporters write null for a field that is absent, so null is taken as absent. */
const rowSchema = z.object({
  question: filledText,
  context: text.nullish(),
  id: z.union([filledText, z.number()], { error: "a text or a number" }).nullish(),
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
export function sampleFromRow({ place, value }: PlacedRow, map: FieldMap): Sample {
  if (!isRecord(value)) {
    throw placedError(place, {
      what: "not an object",
      actual: shown(value),
      expected: 'an object such as {"question": "...", "answers": ["..."]}',
      fix: "Write one JSON object for each sample.",
    });
  }
  const { fields, referenceFields } = applyMap(place, value, map);
  const parsed = rowSchema.safeParse(fields);
  if (!parsed.success)
    throw fieldError(place, fields, parsed.error, "Mend the value, or take the sample out.", missingFieldFix);
  const row = parsed.data;
  const others = Object.entries(fields).filter(
    ([name]) => name !== "id" && name !== "question" && name !== "context" && !referenceFields.has(name),
  );
  return {
    id: String(row.id ?? place.label.replace(" ", "-")),
    variables: {
      question: row.question,
      ...(typeof row.context === "string" ? { context: row.context } : {}),
      ...Object.fromEntries(others),
    },
    references: referencesOf(row, place, fields),
  };
}

function referencesOf(
  { answer, answers }: Row,
  place: Place,
  fields: Readonly<Record<string, unknown>>,
): readonly string[] {
  if (typeof answers === "string") return [answers];
  if (Array.isArray(answers)) return answers;
  if (isRecord(answers)) {
    if (answers.text.length > 0) return answers.text;
    if (Array.isArray(answers.answer_start) && answers.answer_start.length === 0) return [""];
  }
  if (typeof answer === "string") return [answer];
  throw placedError(
    place,
    {
      what: "the sample has no reference",
      actual: isRecord(answers) ? `"answers": ${shown(answers)}` : shownFields(fields),
      expected: '"answer" (a text) or "answers" (a list of texts)',
      fix: missingFieldFix(
        "answers",
        Object.keys(fields).filter((name) => !["id", "question", "context", "answer", "answers"].includes(name)),
      ),
    },
    "answers",
  );
}
