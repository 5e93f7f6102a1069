import { isRecord } from "./place.js";

/** One turn of a conversation as chat files write it: OpenAI's messages, ShareGPT's conversations, Gemini's contents. */
export interface Turn {
  readonly speaker: "user" | "assistant" | "other";
  /** Way from the turn to its one text, such as `content` or `parts.0.text`; undefined where it has none, or several. */
  readonly textPath: string | undefined;
  /** Whether it says something. */
  readonly hasText: boolean;
}

/** Names of those who speak, by their role in the conversation. */
const SPEAKERS = {
  user: /^(user|human|prompter|customer)$/i,
  assistant: /^(assistant|gpt|bot|chatgpt|model|ai|chatbot)$/i,
};

/** Who speaks in a turn. */
export function speakerOf({ role, from }: Readonly<Record<string, unknown>>): Turn["speaker"] {
  const name = typeof role === "string" ? role : typeof from === "string" ? from : "";
  return SPEAKERS.user.test(name) ? "user" : SPEAKERS.assistant.test(name) ? "assistant" : "other";
}

/** The turns of a conversation, or undefined for a value that is none. */
export function turnsOf(value: unknown): readonly Turn[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const turns: readonly unknown[] = value;
  return turns.every(isTurn) ? turns.map(turnOf) : undefined;
}

function isTurn(value: unknown): value is Readonly<Record<string, unknown>> {
  return isRecord(value) && (typeof value["role"] === "string" || typeof value["from"] === "string");
}

function turnOf(turn: Readonly<Record<string, unknown>>): Turn {
  const field = ["content", "value", "text", "parts"].find((name) => turn[name] !== undefined && turn[name] !== null);
  const said = field === undefined ? undefined : turn[field];
  const speaker = speakerOf(turn);
  if (field === undefined || typeof said === "string") {
    return { speaker, textPath: field, hasText: typeof said === "string" && said.trim() !== "" };
  }
  const parts: readonly unknown[] = Array.isArray(said) ? said : [];
  const texts = parts.filter((part) => isRecord(part) && typeof part["text"] === "string");
  const isOne = texts.length === 1 && parts.length === 1;
  return { speaker, textPath: isOne ? `${field}.0.text` : undefined, hasText: texts.length > 0 };
}
