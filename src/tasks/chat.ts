import type { Template } from "@huggingface/jinja";
import { TemplateError, UsageError, messageOf } from "../errors.js";
import { parseTemplate, renderTemplate } from "./render.js";
import { withThoughtClosed } from "./thoughts.js";

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

/**
 * Wraps a user message in the model's own chat template, with thinking switched off where the template knows `enable_thinking`
 * and an opened thought closed at once where it does not. `raw` gives the message as it is.
 * @throws UsageError when `chat` is asked for but the model has no template; TemplateError when the template fails.
 */
export function chatFormatter(model: ChatModel, choice: TemplateChoice, system: string | undefined): ChatFormatter {
  if (choice === "raw") return (user) => (system === undefined ? user : `${system}\n\n${user}`);
  if (model.chatTemplate === undefined) {
    throw new UsageError({
      what: `${model.path} has no chat template`,
      expected: "tokenizer.chat_template in its metadata",
      fix: "Pass --template raw, and a --prompt file in the format that the adapter was trained on.",
    });
  }
  const template = parse(model.chatTemplate, model.path);
  return (user) => {
    const messages = [
      ...(system === undefined ? [] : [{ role: "system", content: system }]),
      { role: "user", content: user },
    ];
    return withThoughtClosed(render(template, messages, model));
  };
}

function parse(source: string, path: string): Template {
  try {
    return parseTemplate(source);
  } catch (cause) {
    throw templateError(path, "cannot be parsed", cause);
  }
}

function render(template: Template, messages: { role: string; content: string }[], model: ChatModel): string {
  try {
    return renderTemplate(template, {
      messages,
      add_generation_prompt: true,
      enable_thinking: false,
      bos_token: model.bosText,
      eos_token: model.eosText,
    });
  } catch (cause) {
    throw templateError(model.path, "refuses the messages", cause);
  }
}

function templateError(path: string, what: string, cause: unknown): TemplateError {
  return new TemplateError({
    what: `the chat template of ${path} ${what}`,
    actual: messageOf(cause),
    fix: "Some templates take no --system message. --template raw works without the model's template.",
    cause,
  });
}
