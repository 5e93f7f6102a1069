import { parsedJson } from "../../parsed-json.js";
import { roleOf } from "../field-roles.js";
import { isRecord, placedError, shown, type Place } from "../place.js";
import { checkedMessages, type Conversation } from "./conversation.js";
import { isMessages, speakerIn, type ChatMessage, type RawMessages } from "./message.js";
import { splitText, stopOfMarked } from "./split-text.js";

type Row = Readonly<Record<string, unknown>>;

/** Names of layouts of training data, as `--layout` takes them. */
export const chatLayoutNames = [
  "openai",
  "sharegpt",
  "alpaca",
  "prompt-completion",
  "preference",
  "kto",
  "text",
] as const;
export type ChatLayoutName = (typeof chatLayoutNames)[number];

/** What a row of training data asks: a conversation, or a text that goes in as it stands, with its reference and what ends it. */
export type ReadRow =
  | ({ readonly kind: "messages" } & Conversation)
  | {
      readonly kind: "text";
      readonly text: string;
      readonly references: readonly string[];
      readonly stop: readonly string[];
    };

/** A layout that people train with. */
export interface ChatLayout {
  /** For messages, such as "OpenAI's chat layout". */
  readonly title: string;
  /** Whether a row is of this layout. */
  is(row: Row): boolean;
  /** Fields that are no prompt variables. */
  readonly fields: readonly string[];
  /** What of the row the model is asked; undefined for a row that is no example of an answer. @throws SampleError that names the row. */
  read(place: Place, row: Row, options: ChatLayoutOptions): ReadRow | undefined;
}

/** How rows are read. */
export interface ChatLayoutOptions {
  /** What stands before the answer in rows of one text, where the user says it. */
  readonly answerMark?: string | undefined;
}

const CONVERSATIONS = ["messages", "conversations", "conversation", "contents", "dialog", "dialogue", "chat", "turns"];

/** Layouts of an instruction and its answer: what the fields are called. Source: LLaMA-Factory's data/README.md, ms-swift, TRL, Dolly, OpenOrca. */
const ALPACA = { asks: ["instruction"], about: ["input", "context"], answers: ["output", "response"] };
const PAIRS = { asks: ["prompt", "query", "question"], about: [], answers: ["completion", "response"] };
const SYSTEMS = ["system", "system_prompt"];

/** In the order in which they are looked for. */
export const chatLayouts: Readonly<Record<ChatLayoutName, ChatLayout>> = {
  kto: {
    title: "KTO's layout (prompt, completion, label)",
    is: (row) => typeof row["label"] === "boolean" && "prompt" in row && "completion" in row,
    fields: ["prompt", "completion", "label"],
    read: (place, row) => (row["label"] === true ? readPair(place, row, PAIRS) : undefined),
  },
  preference: {
    title: "the layout of preferences (chosen, rejected)",
    is: (row) => "chosen" in row && "rejected" in row,
    fields: ["prompt", "question", "chosen", "rejected", "messages"],
    read: readPreference,
  },
  sharegpt: {
    title: "ShareGPT's layout (conversations)",
    is: (row) => typeof conversationIn(row)?.[0]?.["from"] === "string",
    fields: [...CONVERSATIONS, ...SYSTEMS, "tools"],
    read: readConversation,
  },
  openai: {
    title: "OpenAI's chat layout (messages)",
    is: (row) => conversationIn(row) !== undefined,
    fields: [...CONVERSATIONS, ...SYSTEMS, "tools", "functions"],
    read: readConversation,
  },
  alpaca: {
    title: "Alpaca's layout (instruction, input, output)",
    is: (row) => isPair(row, ALPACA),
    fields: [...ALPACA.answers, "history", "text"],
    read: (place, row) => readPair(place, row, ALPACA),
  },
  "prompt-completion": {
    title: "the layout of prompts and completions",
    is: (row) => isPair(row, PAIRS) && !("answer" in row) && !("answers" in row),
    fields: [...PAIRS.answers, "history"],
    read: (place, row) => readPair(place, row, PAIRS),
  },
  text: {
    title: 'the layout of one text ("text", prompt and answer in one)',
    is: (row) =>
      typeof row["text"] === "string" &&
      Object.keys(row).every((name) => name === "text" || roleOf(name) === undefined),
    fields: ["text"],
    read: (place, row, { answerMark }) => ({ kind: "text", ...splitText(place, String(row["text"]), answerMark) }),
  },
};

/** Whether a format of samples is one of these layouts. */
export function isChatLayoutName(name: string): name is ChatLayoutName {
  return (chatLayoutNames as readonly string[]).includes(name);
}

/** The layout of a row, by what it holds; undefined for a row of none. */
export function chatLayoutOf(row: unknown): ChatLayoutName | undefined {
  if (!isRecord(row)) return undefined;
  return (Object.keys(chatLayouts) as ChatLayoutName[]).find((name) => chatLayouts[name].is(row));
}

/** The conversation in a row; exporters of tables write it as JSON in a text. */
function conversationIn(row: Row): RawMessages | undefined {
  return CONVERSATIONS.map((field) => listIn(row[field])).find(isMessages);
}

function readConversation(place: Place, row: Row): ReadRow {
  const turns = conversationIn(row);
  if (!turns) {
    throw placedError(place, {
      what: "no field of the row holds a conversation",
      actual: shown(row),
      expected: '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}',
    });
  }
  return conversation(place, row, turns);
}

function conversation(place: Place, row: Row, turns: RawMessages, references?: readonly string[]): ReadRow {
  const system = SYSTEMS.map((name) => row[name]).find((value) => typeof value === "string" && value !== "");
  const hasSystem = turns.some((turn) => /^(system|developer)$/i.test(speakerIn(turn) ?? ""));
  const all = system === undefined || hasSystem ? turns : [{ role: "system", content: system }, ...turns];
  return { kind: "messages", messages: checkedMessages(place, all), tools: toolsIn(row), references };
}

/** Tools as chat templates take them: a list, which some exporters write as JSON in a text. */
function toolsIn({ tools, functions }: Row): readonly unknown[] | undefined {
  const given = listIn(tools);
  if (Array.isArray(given) && given.length > 0) return given as readonly unknown[];
  return Array.isArray(functions)
    ? functions.map((one: unknown): unknown => ({ type: "function", function: one }))
    : undefined;
}

interface PairFields {
  readonly asks: readonly string[];
  readonly about: readonly string[];
  readonly answers: readonly string[];
}

function isPair(row: Row, { asks, answers }: PairFields): boolean {
  const ask = fieldOf(row, asks);
  const answer = fieldOf(row, answers);
  if (ask === undefined || answer === undefined) return false;
  return [row[ask], row[answer]].every((value) => typeof value === "string" || isMessages(value) || isTexts(value));
}

/** A question and its answer: earlier turns first, then the question, and what it is about on a line of its own. */
function readPair(place: Place, row: Row, { asks, about, answers }: PairFields): ReadRow {
  const answer = row[fieldOf(row, answers) ?? ""];
  const asked = row[fieldOf(row, asks) ?? ""];
  const last: RawMessages = isMessages(answer)
    ? answer
    : [{ role: "assistant", content: isTexts(answer) ? answer[0] : answer }];
  const references = isTexts(answer) && answer.length > 1 ? answer : undefined;
  if (isMessages(asked)) return conversation(place, row, [...asked, ...last], references);
  const text = isTexts(asked) ? asked.join("\n") : typeof asked === "string" ? asked : "";
  const marked = isMessages(answer) ? undefined : stopOfMarked(text);
  if (marked) {
    // It was put into a template already, and goes in as it stands.
    return {
      kind: "text",
      text,
      references: references ?? [typeof answer === "string" ? answer.trim() : ""],
      stop: marked,
    };
  }
  const input = about.map((name) => row[name]).find((value) => typeof value === "string" && value.trim() !== "");
  const user = {
    role: "user",
    content: typeof input === "string" ? [text, input].filter((part) => part !== "").join("\n") : text,
    // Alpaca's own template puts the two under headings of their own.
    ...(typeof input === "string" ? { instruction: text, input } : {}),
  };
  return conversation(place, row, [...earlierTurns(place, row), user, ...last], references);
}

function earlierTurns(place: Place, { history }: Row): RawMessages {
  if (history === undefined || history === null) return [];
  const turns: readonly unknown[] = Array.isArray(history) ? history : [history];
  if (isMessages(turns)) return turns;
  return turns.flatMap((turn) => {
    if (Array.isArray(turn) && turn.length === 2 && turn.every((said) => typeof said === "string")) {
      const [user, assistant] = turn;
      return [
        { role: "user", content: user },
        { role: "assistant", content: assistant },
      ];
    }
    throw placedError(place, {
      what: 'a turn in "history" cannot be read',
      actual: shown(turn),
      expected: 'a pair of texts: ["what the user said", "what was answered"]',
    });
  });
}

/** The chosen answer is the reference, and the rejected one is left out. Source: TRL's preference layouts, hh-rlhf's transcripts. */
function readPreference(place: Place, row: Row): ReadRow {
  const { chosen } = row;
  if (isMessages(chosen) && chosen.length > 1) return conversation(place, row, chosen);
  const fields = { asks: ["prompt", "question", "instruction", "query"], about: ALPACA.about, answers: ["chosen"] };
  if (fieldOf(row, fields.asks) !== undefined) return readPair(place, row, fields);
  const turns = typeof chosen === "string" ? transcript(chosen) : [];
  if (turns.length > 1) return conversation(place, row, turns);
  throw placedError(place, {
    what: "a row of preferences without its prompt",
    actual: shown(row),
    expected: '"prompt" beside "chosen" and "rejected", or whole conversations in both',
  });
}

/** Anthropic's transcripts: "\n\nHuman: ...\n\nAssistant: ...". */
function transcript(text: string): RawMessages {
  const pieces = text.split(/\n\n(Human|Assistant): ?/);
  return pieces.slice(1).flatMap((piece, i) => {
    return i % 2 === 0
      ? [{ role: piece === "Human" ? "user" : "assistant", content: (pieces[i + 2] ?? "").trim() }]
      : [];
  });
}

function fieldOf(row: Row, names: readonly string[]): string | undefined {
  return names.find((name) => row[name] !== undefined && row[name] !== null);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
}

/** A value, or the list that a text of JSON holds. */
function listIn(value: unknown): unknown {
  if (typeof value !== "string") return value;
  return value.trimStart().startsWith("[") ? parsedJson(value) : undefined;
}

/** The last turn that is an answer, and its place. */
export function lastAnswer(messages: readonly ChatMessage[]): number {
  return messages.findLastIndex(({ role }) => role === "assistant");
}
