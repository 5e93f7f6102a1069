import type { Template } from "@huggingface/jinja";
import { TemplateError, UsageError, messageOf } from "../errors.js";
import { callsOf, isSystem, type ChatMessage } from "../samples/chat/message.js";
import type { SamplePrompt } from "../samples/sample.js";
import { parseTemplate, renderTemplate } from "./render.js";
import { thoughtMarks, thoughtMarksOf, withThoughtClosed } from "./thoughts.js";

/** What a model brings for its chat template. */
export interface ChatModel {
  readonly path: string;
  readonly chatTemplate: string | undefined;
  readonly bosText: string;
  readonly eosText: string;
}

/** How a user message becomes the text that the model continues. */
export type TemplateChoice = "chat" | "raw";

/** Turns a user message into the text to be tokenised. */
export type ChatFormatter = (userMessage: string) => string;

/** What a conversation brings for a chat template. */
export type AskedConversation = Omit<Extract<SamplePrompt, { kind: "messages" }>, "kind">;

/** Puts conversations into a chat template. */
export interface ConversationFormatter {
  /** The text that the model continues with its answer. */
  readonly prompt: (conversation: AskedConversation) => string;
  /** The answer as the model is to give it, without what ends a turn. A call of a tool is written as the template writes it. */
  readonly answer: (conversation: AskedConversation) => string;
}

/** What ends a turn in any template, where an answer is read out of one. */
const TURN_ENDS =
  /\s*(<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|end\|>|<end_of_turn>|<\/s>|<\|endoftext\|>|<\|return\|>|<\|call\|>)[\s\S]*$/;

/**
 * Wraps a user message in the model's own chat template, with thinking switched off where the template knows `enable_thinking`
 * and an opened thought closed at once where it does not. `raw` gives the message as it is.
 * @throws UsageError when `chat` is asked for but the model has no template; TemplateError when the template fails.
 */
export function chatFormatter(model: ChatModel, choice: TemplateChoice, system: string | undefined): ChatFormatter {
  const { prompt } = conversationFormatter(model, choice, system);
  return (user) => prompt(unanswered([{ role: "user", content: user }]));
}

/** A conversation whose answer nobody knows. */
export function unanswered(messages: readonly ChatMessage[]): AskedConversation {
  return { messages, answer: { role: "assistant", content: "" } };
}

/**
 * As {@link chatFormatter}, for whole conversations. A system message of ours goes where the conversation has none. Thinking is switched
 * on where the answer holds a thought, so that prompt and answer stand as they were trained on.
 */
export function conversationFormatter(
  model: ChatModel,
  choice: TemplateChoice,
  system: string | undefined,
): ConversationFormatter {
  if (choice === "raw") return rawFormatter(model.path, system);
  if (model.chatTemplate === undefined) {
    throw new UsageError({
      what: `${model.path} has no chat template`,
      expected: "tokenizer.chat_template in its metadata",
      fix: "Name the one that the adapter was trained on, such as --chat-template chatml, or pass --template raw with a --prompt file in its format.",
    });
  }
  const template = parse(model.chatTemplate, model.path);
  const marks = thoughtMarksOf(model.chatTemplate);
  const writesCalls = model.chatTemplate.includes("tool_call");
  const withSystem = ({ messages, tools }: AskedConversation): TemplateValues => {
    if (!writesCalls && messages.some((message) => callsOf(message).length > 0)) throw callsLost(model.path);
    const hasSystem = messages.some(isSystem);
    const ours = system === undefined || hasSystem ? [] : [{ role: "system" as const, content: system }];
    const knowsDeveloper = model.chatTemplate?.includes("developer") === true;
    const all = [...ours, ...messages].map((message) => {
      return message.role === "developer" && !knowsDeveloper ? { ...message, role: "system" as const } : message;
    });
    return { messages: all, ...(tools ? { tools } : {}) };
  };
  const holdsThought = ({ content, ...rest }: ChatMessage): boolean =>
    marks.some(({ open }) => content?.includes(open)) || typeof rest["reasoning_content"] === "string";
  const generationPrompt = (conversation: AskedConversation, thinks: boolean): string => {
    const values = { ...withSystem(conversation), add_generation_prompt: true, enable_thinking: thinks };
    return render(template, values, model);
  };
  const prompt = (conversation: AskedConversation): string => {
    const thinks = holdsThought(conversation.answer);
    const text = generationPrompt(conversation, thinks);
    return thinks ? text : withThoughtClosed(text);
  };
  return {
    prompt,
    answer: (conversation) => {
      const { answer, messages } = conversation;
      if (answer.content !== null && callsOf(answer).length === 0)
        return withoutOpening(answer.content, prompt(conversation));
      const whole = render(
        template,
        {
          ...withSystem({ ...conversation, messages: [...messages, answer] }),
          add_generation_prompt: false,
          enable_thinking: false,
        },
        model,
      );
      // The prompt that closes a thought says more than a template writes before a call.
      const asked = [true, false].map((thinks) => generationPrompt(conversation, thinks));
      const before = asked.filter((text) => whole.startsWith(text)).sort((a, b) => b.length - a.length)[0] ?? "";
      const written = whole.slice(before.length).replace(TURN_ENDS, "").trim();
      return before === "" || written === "" ? JSON.stringify(answer["tool_calls"]) : written;
    },
  };
}

/** Messages that are the whole prompt, with the system's before the user's. */
function rawFormatter(path: string, system: string | undefined): ConversationFormatter {
  return {
    prompt: ({ messages }) => {
      const isOne = messages.filter((message) => !isSystem(message)).length === 1;
      if (!isOne) {
        throw new UsageError({
          what: "conversations of several turns need a chat template",
          actual: `--template raw, or ${path} has none`,
          fix: "Name the one that the adapter was trained on, such as --chat-template chatml (or a file).",
        });
      }
      const hasSystem = messages.length > 1;
      const texts = messages.map(({ content }) => content ?? "");
      return [...(system === undefined || hasSystem ? [] : [system]), ...texts].join("\n\n");
    },
    answer: ({ answer }) => answer.content ?? JSON.stringify(answer["tool_calls"]),
  };
}

/** An answer whose thought the prompt has opened already begins behind that. */
function withoutOpening(answer: string, prompt: string): string {
  const end = prompt.trimEnd();
  const opened = thoughtMarks.find(({ open }) => end.endsWith(open) && answer.trimStart().startsWith(open));
  return opened ? answer.trimStart().slice(opened.open.length).trimStart() : answer;
}

function parse(source: string, path: string): Template {
  try {
    return parseTemplate(source);
  } catch (cause) {
    throw templateError(path, "cannot be parsed", cause);
  }
}

interface TemplateValues {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly unknown[];
}

function render(
  template: Template,
  values: TemplateValues & { readonly add_generation_prompt: boolean; readonly enable_thinking: boolean },
  model: ChatModel,
): string {
  try {
    return renderTemplate(template, { ...values, bos_token: model.bosText, eos_token: model.eosText });
  } catch (cause) {
    throw templateError(model.path, "refuses the messages", cause);
  }
}

/** A template that leaves a call out would ask something else than the data does. */
function callsLost(path: string): TemplateError {
  return new TemplateError({
    what: `the chat template of ${path} does not write calls of tools, and the conversations have some`,
    expected: 'a template with "tool_calls" in it',
    fix: "Give the one that the adapter was trained on: --chat-template FILE.",
  });
}

function templateError(path: string, what: string, cause: unknown): TemplateError {
  return new TemplateError({
    what: `the chat template of ${path} ${what}`,
    actual: messageOf(cause),
    fix: "Some templates take no system message, or no tools. --chat-template names another; --template raw works without any.",
    cause,
  });
}
