import { parsedJson } from "../../parsed-json.js";
import { isRecord, placedError, shown, type Place } from "../place.js";

/** Who speaks, as chat templates call them. */
export type Role = "system" | "developer" | "user" | "assistant" | "tool";

/** A message of a conversation as a chat template reads it; what else the file says of it (`tool_calls`, `reasoning_content`, `name`) goes along. */
export interface ChatMessage extends Readonly<Record<string, unknown>> {
  readonly role: Role;
  /** Null where the message only calls tools. */
  readonly content: string | null;
}

/** A list of messages that still are as the file has them. */
export type RawMessages = readonly Readonly<Record<string, unknown>>[];

/** What files call those who speak. Sources: OpenAI, ShareGPT as FastChat, LLaMA-Factory and Axolotl read it, Gemini. */
const ROLES: Readonly<Record<Role, RegExp>> = {
  system: /^system$/i,
  developer: /^developer$/i,
  user: /^(user|human|prompter|customer|instruction)$/i,
  assistant: /^(assistant|gpt|bot|chatgpt|bing|bard|model|ai|chatbot|function[_-]call|tool[_-]call)$/i,
  tool: /^(tool|function|observation|(tool|function)[_-]response|ipython)$/i,
};

const ROLE_FIELDS = ["role", "from", "speaker"];
const TEXT_FIELDS = ["content", "value", "text", "parts"];

/** Whether a value is a conversation: a list of objects that each say who speaks. */
export function isMessages(value: unknown): value is RawMessages {
  return (
    Array.isArray(value) && value.length > 0 && value.every((turn) => isRecord(turn) && speakerIn(turn) !== undefined)
  );
}

/** The name of who speaks in a turn, as the file has it. */
export function speakerIn(turn: Readonly<Record<string, unknown>>): string | undefined {
  const name = ROLE_FIELDS.map((field) => turn[field]).find((value) => typeof value === "string");
  return typeof name === "string" ? name : undefined;
}

/** Who speaks in a turn; undefined for a name that is not known. */
export function roleOf(turn: Readonly<Record<string, unknown>>): Role | undefined {
  const name = speakerIn(turn) ?? "";
  return (Object.keys(ROLES) as Role[]).find((role) => ROLES[role].test(name));
}

/** A turn as a message. @throws SampleError naming the row for a speaker that is not known and a part that is no text. @param number of the turn, from 1. */
export function readMessage(place: Place, turn: Readonly<Record<string, unknown>>, number: number): ChatMessage {
  const role = roleOf(turn);
  if (role === undefined) {
    throw placedError(place, {
      what: `turn ${number} is of a speaker that is not known`,
      actual: shown(speakerIn(turn)),
      expected: "system, user, assistant or tool (ShareGPT: human, gpt)",
      fix: "Rename the speaker.",
    });
  }
  const textField = TEXT_FIELDS.find((field) => turn[field] !== undefined && turn[field] !== null);
  const content = textField === undefined ? null : textOf(place, turn[textField], number);
  const rest = Object.entries(turn).filter(([name]) => !ROLE_FIELDS.includes(name) && !TEXT_FIELDS.includes(name));
  const call = /call$/i.test(speakerIn(turn) ?? "") ? callIn(content) : legacyCall(turn);
  if (call) return { role, content: null, tool_calls: [call] };
  return { role, content, ...Object.fromEntries(rest) };
}

/** Whether a message sets the terms of the conversation instead of taking part in it. */
export function isSystem({ role }: Pick<ChatMessage, "role">): boolean {
  return role === "system" || role === "developer";
}

/** Whether a message says or calls something. */
export function isFilled({ content, tool_calls: calls }: ChatMessage): boolean {
  return (content !== null && content.trim() !== "") || (Array.isArray(calls) && calls.length > 0);
}

/** Calls of a message; an empty list where it has none. */
export function callsOf({ tool_calls: calls }: ChatMessage): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(calls) ? calls.filter(isRecord) : [];
}

/** Text parts are lines of one text, as llama.cpp's server takes them. */
function textOf(place: Place, said: unknown, number: number): string {
  if (typeof said === "string") return said;
  const parts: readonly unknown[] = Array.isArray(said) ? said : [said];
  return joinedTexts(
    parts.map((part) => {
      if (typeof part === "string") return part;
      if (isRecord(part) && typeof part["text"] === "string") return part["text"];
      const type = isRecord(part) && typeof part["type"] === "string" ? part["type"].replace(/_url$/, "") : undefined;
      throw placedError(place, {
        what:
          type === undefined
            ? `turn ${number} holds something else than text`
            : `turn ${number} holds a part of type ${type}`,
        actual: shown(part),
        expected: "text: boundary reads no images, sounds or files",
      });
    }),
  );
}

/** The parts of a message as its text. Source: llama.cpp's common/chat.cpp, which puts line breaks between them. */
export function joinedTexts(parts: readonly string[]): string {
  return parts.join("\n");
}

/** The call in a turn of ShareGPT's `function_call`: `{"name": ..., "arguments": ...}` as a text. */
function callIn(content: string | null): object | undefined {
  const value = content === null ? undefined : parsedJson(content);
  return isRecord(value) && typeof value["name"] === "string" ? { type: "function", function: value } : undefined;
}

/** OpenAI's `function_call` from before there were tools. */
function legacyCall({ function_call: call }: Readonly<Record<string, unknown>>): object | undefined {
  return isRecord(call) ? { type: "function", function: call } : undefined;
}
