import { Template } from "@huggingface/jinja";
import type { ChatModel } from "../tasks/chat.js";
import { renderTemplate } from "../tasks/render.js";
import { withThoughtClosed } from "../tasks/thoughts.js";
import { messageOf } from "../errors.js";
import { ApiError } from "./api-error.js";

/** A message of a conversation, its content as plain text. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** Turns a conversation into the text that the model continues. @throws ApiError 400 when the model's template refuses it. */
export type ConversationFormatter = (messages: readonly ChatMessage[]) => string;

/**
 * Puts conversations into the model's own chat template as `chatFormatter` puts a single message: with thinking switched off where
 * the template knows `enable_thinking`, and an opened thought closed where it does not. Undefined for a model without a template.
 */
export function conversationFormatter(model: ChatModel): ConversationFormatter | undefined {
  if (model.chatTemplate === undefined) return undefined;
  const template = new Template(model.chatTemplate);
  return (messages) => {
    const values = { add_generation_prompt: true, enable_thinking: false };
    try {
      const tokens = { bos_token: model.bosText, eos_token: model.eosText };
      return withThoughtClosed(renderTemplate(template, { messages, ...values, ...tokens }));
    } catch (cause) {
      const reason = messageOf(cause);
      throw new ApiError({
        status: 400,
        message: `The model's chat template refuses these messages: ${reason}`,
        param: "messages",
        code: "template_refused",
      });
    }
  };
}
