import type { ChatMessage } from "../samples/chat/message.js";
import { conversationFormatter, unanswered, type ChatModel } from "../tasks/chat.js";
import { messageOf, TemplateError } from "../errors.js";
import { ApiError } from "./api-error.js";

/** Turns a conversation into the text that the model continues. @throws ApiError 400 when the model's template refuses it. */
export type RequestFormatter = (messages: readonly ChatMessage[]) => string;

/**
 * Puts conversations into the model's own chat template as a sweep does. Undefined for a model without a template.
 * @throws TemplateError when the template cannot be parsed.
 */
export function requestFormatter(model: ChatModel): RequestFormatter | undefined {
  if (model.chatTemplate === undefined) return undefined;
  const { prompt } = conversationFormatter(model, "chat", undefined);
  return (messages) => {
    try {
      return prompt(unanswered(messages));
    } catch (error) {
      const reason = messageOf(error instanceof TemplateError ? error.cause : error);
      throw new ApiError({
        status: 400,
        message: `The model's chat template refuses these messages: ${reason}`,
        param: "messages",
        code: "template_refused",
      });
    }
  };
}
