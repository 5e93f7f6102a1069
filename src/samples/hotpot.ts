import { z } from "zod";
import { at } from "../assert.js";
import { fieldError } from "./field-error.js";
import { defaultId, isRecord, placedError, type PlacedRow } from "./place.js";
import type { Sample } from "./sample.js";

const text = z.string({ error: "a text" });
const sentences = z.array(text);

/** The hub keeps titles and paragraphs in lists of their own, which belong together by their order. */
const hubContext = z
  .object({ title: z.array(text), sentences: z.array(sentences) })
  .refine(({ title, sentences: paragraphs }) => title.length === paragraphs.length);

const rowSchema = z.object(
  {
    _id: text.optional(),
    id: text.optional(),
    question: text,
    answer: text,
    type: text.optional(),
    level: text.optional(),
    context: z.union([z.array(z.tuple([text, sentences])), hubContext], { error: "[[title, [sentence, ...]], ...]" }),
    supporting_facts: z
      .union([z.array(z.tuple([text, z.int()])), z.object({ title: z.array(text), sent_id: z.array(z.int()) })], {
        error: "[[title, sentence number], ...]",
      })
      .optional(),
  },
  { error: "an object in HotpotQA's layout" },
);

type Row = z.infer<typeof rowSchema>;
type Paragraph = readonly [title: string, sentences: readonly string[]];

/** A HotpotQA sample, with how many of its supporting sentences the paragraphs hold. */
interface HotpotSample {
  readonly sample: Sample;
  readonly supporting: { readonly listed: number; readonly found: number };
}

/** Whether a row has HotpotQA's layout: supporting facts, or paragraphs instead of a text for context. */
export function isHotpotRow(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const context = value["context"];
  return "supporting_facts" in value || Array.isArray(context) || (isRecord(context) && "sentences" in context);
}

/**
 * A sample from a row of HotpotQA, in the published distractor layout or the Hugging Face hub's.
 *
 * `supporting` renders each supporting sentence on a line of its own as `Title | sentence`; `all` renders each paragraph on
 * a line of its own as `Title | sentence sentence ...`; both in the file's order. Supporting facts that point at nothing
 * are left out and counted: the published files have some. Throws SampleError for another layout.
 */
export function sampleFromHotpot({ place, value }: PlacedRow, context: "supporting" | "all"): HotpotSample {
  const parsed = rowSchema.safeParse(value);
  if (!parsed.success) throw fieldError(place, value, parsed.error, "Compare with the published HotpotQA files.");
  const row = parsed.data;
  const paragraphs = paragraphsOf(row);
  const facts = factsOf(row);
  if (context === "supporting" && facts === undefined) {
    throw placedError(
      place,
      {
        what: 'field "supporting_facts" is missing',
        expected: "[[title, sentence number], ...]",
        fix: "Use --context all.",
      },
      "supporting_facts",
    );
  }
  const lines = supportingLines(paragraphs, facts ?? new Set());
  const labels = {
    ...(row.type === undefined ? {} : { type: row.type }),
    ...(row.level === undefined ? {} : { level: row.level }),
  };
  return {
    sample: {
      id: row._id ?? row.id ?? defaultId(place),
      variables: {
        question: row.question,
        context: (context === "all" ? paragraphs.map(paragraphLine) : lines).join("\n"),
        ...labels,
      },
      references: [row.answer],
      ...(Object.keys(labels).length > 0 ? { group: labels } : {}),
    },
    supporting: { listed: facts?.size ?? 0, found: lines.length },
  };
}

function paragraphsOf({ context }: Row): readonly Paragraph[] {
  if (Array.isArray(context)) return context;
  return context.title.map((title, index) => [title, at(context.sentences, index)]);
}

/** Keys of {@link factKey}, or undefined where the row lists no supporting facts at all. */
function factsOf({ supporting_facts: facts }: Row): ReadonlySet<string> | undefined {
  if (facts === undefined) return undefined;
  if (Array.isArray(facts)) return new Set(facts.map(([title, sentence]) => factKey(title, sentence)));
  return new Set(facts.title.map((title, index) => factKey(title, facts.sent_id[index] ?? -1)));
}

/** A sentence's number in its paragraph counts from 0. */
function factKey(title: string, sentence: number): string {
  return JSON.stringify([title, sentence]);
}

function supportingLines(paragraphs: readonly Paragraph[], facts: ReadonlySet<string>): readonly string[] {
  return paragraphs.flatMap(([title, list]) =>
    list.filter((_, index) => facts.has(factKey(title, index))).map((sentence) => paragraphLine([title, [sentence]])),
  );
}

function paragraphLine([title, list]: Paragraph): string {
  return `${title} | ${list.map((sentence) => sentence.trim()).join(" ")}`;
}
