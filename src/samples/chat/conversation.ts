import { placedError, type Place } from "../place.js";
import { callsOf, isFilled, readMessage, type ChatMessage, type RawMessages, type Role } from "./message.js";

/** A conversation of a row, checked: speakers take turns, and at least one turn is an answer. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** What the model may call, as the chat template reads it. */
  readonly tools?: readonly unknown[] | undefined;
  /** Of the last turn, where the row has several that are right. */
  readonly references?: readonly string[] | undefined;
}

/** Who may speak after whom. */
const AFTER: Readonly<Record<Role | "nobody", readonly Role[]>> = {
  nobody: ["system", "developer", "user"],
  system: ["user"],
  developer: ["user"],
  user: ["assistant"],
  assistant: ["user", "tool"],
  tool: ["tool", "assistant", "user"],
};

const NAMES: Readonly<Record<Role, string>> = {
  system: "the system's",
  developer: "the developer's",
  user: "the user's",
  assistant: "the assistant's",
  tool: "a tool's",
};

/** The messages of a conversation. @throws SampleError that names the row. */
export function checkedMessages(place: Place, turns: RawMessages): readonly ChatMessage[] {
  const messages = turns.map((turn, index) => readMessage(place, turn, index + 1));
  assertOrder(place, messages);
  if (messages.some(({ role }) => role === "assistant")) return messages;
  throw placedError(place, {
    what: "no turn of the conversation is the assistant's",
    expected: "an assistant turn: the last one is the reference, all before it is the prompt",
  });
}

/** @throws SampleError for a turn that cannot be a reference. @param number of the turn, from 1. */
export function assertReference(place: Place, message: ChatMessage, number: number): void {
  if (isFilled(message)) return;
  throw placedError(place, {
    what: `the assistant's turn ${number}, which is the reference, is empty`,
    expected: "a text, or a call of a tool",
  });
}

function assertOrder(place: Place, messages: readonly ChatMessage[]): void {
  for (const [index, message] of messages.entries()) {
    const before = messages[index - 1];
    const isCalled = message.role !== "tool" || before?.role !== "assistant" || callsOf(before).length > 0;
    if (AFTER[before?.role ?? "nobody"].includes(message.role) && isCalled) continue;
    throw placedError(place, {
      what: "the roles of the conversation are out of order",
      actual: `turn ${index + 1} is ${NAMES[message.role]} ${before ? `and follows ${NAMES[before.role]}${isCalled ? "" : ", which calls nothing"}` : "and is the first"}`,
      expected: "user and assistant by turns, a system message at most at the beginning, a tool's turn after its call",
    });
  }
}
