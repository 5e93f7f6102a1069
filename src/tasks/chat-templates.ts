import { fileURLToPath } from "node:url";
import { closest } from "fastest-levenshtein";
import { UsageError } from "../errors.js";
import { CONFIG_BYTES, readWholeText } from "../files/read-whole.js";
import { exists } from "../files/atomic-file.js";

/** A chat template that takes the place of the model's own. */
export interface NamedTemplate {
  /** Jinja source. */
  readonly source: string;
  /** What ends an answer under it, for models that do not end their turn by themselves. */
  readonly stop: readonly string[];
}

/**
 * Templates by which adapters are trained on models that have none, or another, and what ends an answer. Sources: OpenAI's chatml,
 * meta-llama/Llama-2-7b-chat-hf and Meta-Llama-3-8B-Instruct, google/gemma-2-9b-it (with a system message before the first user message, as
 * gemma-3 has it), mistralai/Mistral-7B-Instruct-v0.3, microsoft/Phi-3-mini-4k-instruct, HuggingFaceH4/zephyr-7b-beta, lmsys' FastChat
 * (vicuna_v1.1), tatsu-lab/stanford_alpaca with the line break before the response that LLaMA-Factory, Axolotl and Unsloth train with.
 */
const STOPS: Readonly<Record<string, readonly string[]>> = {
  alpaca: ["### Instruction:"],
  chatml: ["<|im_end|>"],
  gemma: ["<end_of_turn>"],
  llama2: ["</s>"],
  llama3: ["<|eot_id|>"],
  mistral: ["</s>"],
  phi3: ["<|end|>"],
  vicuna: ["</s>", "USER:"],
  zephyr: ["</s>"],
};

/** Names of the templates that come with boundary, sorted. */
export const chatTemplateNames: readonly string[] = Object.keys(STOPS).sort();

/**
 * A template by its name, or of a jinja file.
 * @throws UsageError for what is neither; FileError when the file cannot be read.
 */
export async function chatTemplateBy(nameOrPath: string): Promise<NamedTemplate> {
  const stop = STOPS[nameOrPath];
  if (stop) {
    const path = fileURLToPath(new URL(`../../prompts/chat-templates/${nameOrPath}.jinja`, import.meta.url));
    return { source: await readWholeText(path, CONFIG_BYTES), stop };
  }
  if (!/[./\\]/.test(nameOrPath) && !(await exists(nameOrPath))) {
    throw new UsageError({
      what: "unknown chat template",
      actual: JSON.stringify(nameOrPath),
      expected: `${chatTemplateNames.join(", ")}, or the path of a jinja file`,
      fix: `Did you mean ${closest(nameOrPath, [...chatTemplateNames])}?`,
    });
  }
  return { source: await readWholeText(nameOrPath, CONFIG_BYTES), stop: [] };
}
