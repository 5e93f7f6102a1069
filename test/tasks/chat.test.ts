import { describe, expect, it } from "vitest";
import { TemplateError, UsageError } from "../../src/errors.js";
import { chatFormatter, type ChatModel } from "../../src/tasks/chat.js";
import { failureOf } from "../support/failure.js";
import { CHATML } from "../support/tiny-model.js";

function modelWith(chatTemplate: string | undefined): ChatModel {
  return { path: "base.gguf", chatTemplate, bosText: "<s>", eosText: "</s>" };
}

function chat(template: string, system?: string): string {
  return chatFormatter(modelWith(template), "chat", system)("Hi {{ there }}");
}

/** The end of Qwen3's template: a thought that is empty from the start when thinking is off. */
const QWEN3 =
  CHATML +
  "{%- if add_generation_prompt %}{%- if enable_thinking is defined and enable_thinking is false %}" +
  "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

describe("the chat template", () => {
  it("wraps the user message, which is not a template itself", () => {
    expect(chat(CHATML)).toBe("<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\n");
  });

  it("has two seconds: it comes from a stranger's file", () => {
    expect(() => chat("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")).toThrow(
      /chat template of base.gguf refuses the messages: found it takes longer than 2 s/,
    );
  });

  it("gets the system message first", () => {
    expect(chat(CHATML, "Be brief.")).toBe(
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\n",
    );
  });

  it("can write the model's own special tokens", () => {
    expect(chat("{{ bos_token }}[INST] {{ messages[0]['content'] }} [/INST]{{ eos_token }}")).toBe(
      "<s>[INST] Hi {{ there }} [/INST]</s>",
    );
  });

  it("is told that thinking is off", () => {
    expect(chat(QWEN3)).toBe(
      "<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    );
  });

  it.each(["think", "thinking", "reasoning"])("has a <%s> that it leaves open closed at once", (tag) => {
    expect(chat(`${CHATML}{{ '<${tag}>\\n' }}`)).toMatch(new RegExp(`assistant\n<${tag}>\n\n</${tag}>\n\n$`));
  });

  it("is left alone where a thought is closed or only spoken of", () => {
    expect(chat("{{ messages[0]['content'] }} <think>is a tag")).toBe("Hi {{ there }} <think>is a tag");
  });

  it("that raises an exception is named, with its words", async () => {
    const template =
      "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}ok";
    expect(chat(template)).toBe("ok");
    const error = await failureOf(TemplateError, () => chat(template, "Be brief."));
    expect(error.message).toContain("the chat template of base.gguf refuses the messages");
    expect(error.message).toContain("System role not supported");
    expect(error.message).toContain("Some templates take no system message");
    expect(error.exitCode).toBe(1);
  });

  it("that cannot be parsed is named", async () => {
    const error = await failureOf(TemplateError, () => chat("{% for message in messages %}"));
    expect(error.message).toContain("the chat template of base.gguf cannot be parsed: found ");
    expect(error.message).toContain("--template raw works without any.");
  });

  it("must be there when it is asked for", async () => {
    const error = await failureOf(UsageError, () => chatFormatter(modelWith(undefined), "chat", undefined));
    expect(error.message).toBe(
      "base.gguf has no chat template: expected tokenizer.chat_template in its metadata. " +
        "Name the one that the adapter was trained on, such as --chat-template chatml, or pass --template raw with a --prompt file in its format.",
    );
    expect(error.exitCode).toBe(2);
  });
});

describe("raw", () => {
  it("gives the message as it is, the system message above it", () => {
    expect(chatFormatter(modelWith(CHATML), "raw", undefined)("Hi")).toBe("Hi");
    expect(chatFormatter(modelWith(undefined), "raw", "Be brief.")("Hi")).toBe("Be brief.\n\nHi");
  });
});
