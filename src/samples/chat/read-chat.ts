import { at } from "../../assert.js";
import { SampleError } from "../../errors.js";
import type { ReadSamples, PlacedSample } from "../loaded.js";
import { defaultId, isRecord, placedError, shown, shownFields, type PlacedRow } from "../place.js";
import type { Sample } from "../sample.js";
import {
  chatLayoutOf,
  chatLayouts,
  lastAnswer,
  type ChatLayoutName,
  type ChatLayoutOptions,
  type ReadRow,
} from "./chat-layouts.js";
import { assertReference, type Conversation } from "./conversation.js";
import { isSystem, type ChatMessage } from "./message.js";

/** How rows of training data become samples. */
export interface ReadChatOptions extends ChatLayoutOptions {
  readonly layout: ChatLayoutName;
  /** `last` (default): the last answer of a conversation is its reference. `all`: every answer is, with what was said before it. */
  readonly turns?: "last" | "all" | undefined;
  /** `fail` (default), or `skip`: rows that cannot be read are left out and counted. */
  readonly onBadRow?: "fail" | "skip" | undefined;
}

/**
 * Samples of rows in one of {@link chatLayouts}.
 * @throws SampleError that names the row, for one of another layout too.
 */
export function readChat(rows: readonly PlacedRow[], options: ReadChatOptions): ReadSamples {
  const placed: PlacedSample[] = [];
  const bad: SampleError[] = [];
  let unread = 0;
  let unfinished = 0;
  for (const row of rows) {
    try {
      const read = readRow(row, options);
      if (read === undefined) unread += 1;
      else {
        if (read.kind === "messages" && lastAnswer(read.messages) < read.messages.length - 1) unfinished += 1;
        placed.push(...samplesOf(row, read, options).map((sample) => ({ place: row.place, sample })));
      }
    } catch (error) {
      if (options.onBadRow !== "skip" || !(error instanceof SampleError)) throw withSkipping(error);
      bad.push(error);
    }
  }
  const [first] = bad;
  if (placed.length === 0 && first) throw first;
  const count = (n: number, what: string): string[] => (n > 0 ? [`${n} of ${rows.length} rows ${what}`] : []);
  return {
    format: options.layout,
    placed,
    notes: [
      ...count(bad.length, `cannot be read and are left out, the first: ${first?.parts.what ?? ""}.`),
      ...count(unread, "are answers that the label calls bad: they are left out."),
      ...count(unfinished, "end in a turn that is no answer: what follows the last answer is left out."),
    ],
  };
}

function withSkipping(error: unknown): unknown {
  if (!(error instanceof SampleError)) return error;
  const { fix } = error.parts;
  const { path, line, field, sampleId } = error;
  return new SampleError(
    {
      path,
      ...(line === undefined ? {} : { line }),
      ...(field === undefined ? {} : { field }),
      ...(sampleId === undefined ? {} : { sampleId }),
    },
    { ...error.parts, fix: `${fix ?? "Mend the row."} --on-bad-row skip leaves such rows out.`, cause: error },
  );
}

function readRow({ place, value }: PlacedRow, options: ReadChatOptions): ReadRow | undefined {
  const { layout } = options;
  const found = chatLayoutOf(value);
  if (isRecord(value) && (found === layout || chatLayouts[layout].is(value))) {
    return chatLayouts[layout].read(place, value, options);
  }
  throw placedError(place, {
    what: `this row is not in ${chatLayouts[layout].title} as those before it`,
    actual:
      found === undefined
        ? isRecord(value)
          ? shownFields(value)
          : shown(value)
        : `one in ${chatLayouts[found].title}`,
    expected: "one layout in the whole file",
    fix: `Put the rows of each layout into a file of their own${found === undefined ? "" : ` (--layout ${found} reads these)`}.`,
  });
}

function samplesOf({ place, value }: PlacedRow, read: ReadRow, { layout, turns }: ReadChatOptions): Sample[] {
  const row = isRecord(value) ? value : {};
  const id = idOf(row) ?? defaultId(place);
  const hidden = new Set(["id", ...chatLayouts[layout].fields]);
  const own = Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.has(name)));
  if (read.kind === "text") {
    const { text, references, stop } = read;
    return [{ id, variables: { ...own, question: text }, references, prompt: { kind: "text", text, stop } }];
  }
  const answers = turns === "all" ? answerPlaces(read.messages) : [lastAnswer(read.messages)];
  return answers.map((index, i) => {
    const isLast = index === lastAnswer(read.messages);
    assertReference(place, at(read.messages, index), index + 1);
    const sample = sampleAt(read, index, isLast ? read.references : undefined);
    return {
      ...sample,
      id: answers.length > 1 ? `${id}.${i + 1}` : id,
      variables: { ...own, ...sample.variables },
      ...(turns === "all" ? { conversation: id } : {}),
    };
  });
}

/** The sample whose reference is the answer at a place, and whose prompt is all before it. */
function sampleAt(
  { messages, tools }: Conversation,
  index: number,
  references: readonly string[] | undefined,
): Omit<Sample, "id"> {
  const before = messages.slice(0, index);
  const answer: ChatMessage = at(messages, index);
  const question = before.findLast(({ role }) => role === "user")?.content ?? "";
  const system = before.find(isSystem)?.content;
  return {
    variables: { question, messages: before, ...(system ? { system } : {}), turns: before.length },
    references: references ?? [answer.content ?? JSON.stringify(answer["tool_calls"])],
    prompt: { kind: "messages", messages: before, answer, ...(tools ? { tools } : {}) },
  };
}

function answerPlaces(messages: readonly ChatMessage[]): number[] {
  return messages.flatMap(({ role }, index) => (role === "assistant" ? [index] : []));
}

function idOf(row: Readonly<Record<string, unknown>>): string | undefined {
  const id = ["id", "conversation_id", "prompt_id"].map((name) => row[name]).find((value) => value !== undefined);
  return typeof id === "string" || typeof id === "number" ? String(id) : undefined;
}
