import { z } from "zod";
import { fieldError } from "./field-error.js";
import { noSamples } from "./document.js";
import type { ReadSamples } from "./loaded.js";
import { placedError, type Place } from "./place.js";

const text = z.string({ error: "a text" });

const questionSchema = z.object(
  {
    id: text,
    question: text,
    answers: z
      .array(z.object({ text }, { error: 'an object such as {"text": "..."}' }), { error: "a list of answers" })
      .nullish(),
    is_impossible: z.boolean({ error: "true or false" }).nullish(),
  },
  { error: "a question" },
);

const documentSchema = z.object({
  version: z.unknown().optional(),
  data: z.array(
    z.object(
      {
        title: text.nullish(),
        paragraphs: z.array(
          z.object(
            { context: text, qas: z.array(questionSchema, { error: "a list of questions" }) },
            { error: "a paragraph" },
          ),
          { error: "a list of paragraphs" },
        ),
      },
      { error: "an article" },
    ),
    { error: "a list of articles" },
  ),
});

type Question = z.infer<typeof questionSchema>;

/**
 * The samples of a document in SQuAD's published layout, v1.1 or v2.0. It is v2.0 when its version begins with "v2" or any
 * question is marked impossible; there a question without answers has the one reference "", as evaluate-v2.0.py scores it.
 * Throws SampleError for another layout, and for a v1.1 question without answers.
 */
export function samplesFromSquad(path: string, value: unknown): ReadSamples {
  const parsed = documentSchema.safeParse(value);
  if (!parsed.success) {
    throw fieldError({ path, label: "SQuAD document" }, value, parsed.error, "Compare with the published SQuAD files.");
  }
  const { version, data } = parsed.data;
  const questions = data.flatMap(({ title, paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => qas.map((qa) => ({ title, context, qa }))),
  );
  if (questions.length === 0) throw noSamples(path);
  const isV2 =
    (typeof version === "string" && version.startsWith("v2")) || questions.some(({ qa }) => qa.is_impossible === true);
  const placed = questions.map(({ title, context, qa }, index) => {
    const place = { path, label: `question ${index + 1}` };
    return {
      place,
      sample: {
        id: qa.id,
        variables: { question: qa.question, context, ...(typeof title === "string" ? { title } : {}) },
        references: referencesOf(qa, place, isV2),
        ...(typeof title === "string" ? { group: { title } } : {}),
      },
    };
  });
  return { format: isV2 ? "squad2.0" : "squad1.1", placed };
}

function referencesOf(qa: Question, place: Place, isV2: boolean): readonly string[] {
  const texts = [...new Set((qa.answers ?? []).map((answer) => answer.text))];
  if (texts.length > 0) return texts;
  if (isV2) return [""];
  throw placedError(
    place,
    {
      what: `the sample ${qa.id} has no reference`,
      actual: '"answers" is empty',
      expected: "at least one answer",
      fix: 'Take the question out, or mark it "is_impossible": true.',
    },
    "answers",
  );
}
