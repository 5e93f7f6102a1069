import { Command, InvalidArgumentError, Option } from "commander";
import { gpuChoices, type GpuChoice } from "../engine/engine.js";
import { UsageError } from "../errors.js";
import { CONFIG_BYTES } from "../files/read-whole.js";
import { stableJson } from "../files/stable-json.js";
import { generateOnce } from "../server/generate.js";
import type { TemplateChoice } from "../tasks/chat.js";
import { print, printAnswer } from "./output.js";
import { numberOrText, wholeNumber } from "./values.js";

interface GenerateFlags {
  readonly model: string;
  readonly adapter: string;
  readonly boundary?: number;
  readonly system?: string;
  readonly template?: TemplateChoice;
  readonly chatTemplate?: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed?: number;
  readonly gpu: GpuChoice;
  readonly gpuLayers: number | "auto" | "max";
  readonly threads?: number;
  readonly json?: boolean;
}

/** `boundary generate`: one answer at any boundary. */
export function generateCommand(signal: AbortSignal): Command {
  return new Command("generate")
    .description("answer one prompt at any boundary")
    .argument("<prompt>", "the prompt; - reads it from standard input")
    .requiredOption("-m, --model <gguf>", "base model: path of a GGUF file, or a model URI")
    .requiredOption("-a, --adapter <path>", "LoRA adapter: a GGUF file, a PEFT folder, or a model URI")
    .option("-b, --boundary <K>", "how many bottom layers keep their adapter (default: all)", wholeNumber)
    .option("--system <text>", "system message")
    .addOption(
      new Option("--template <kind>", "wrap the prompt in the model's chat template, or not").choices(["chat", "raw"]),
    )
    .option(
      "--chat-template <name|file>",
      "chat template of the adapter's training, by name or jinja file (default: the model's own)",
    )
    .option("--max-tokens <n>", "most tokens of the answer", wholeNumber, 512)
    .option("--temperature <t>", "0 takes the most probable token", temperature, 0)
    .option("--seed <n>", "same seed, same answer", wholeNumber)
    .addOption(new Option("--gpu <backend>", "backend; off is the CPU alone").choices(gpuChoices).default("auto"))
    .option("--gpu-layers <n|auto|max>", "layers of the model put on the GPU", numberOrText, "auto")
    .option("--threads <n>", "CPU threads (default: the cores that are really there)", wholeNumber)
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async (prompt: string, { json, gpu, gpuLayers, threads, ...flags }: GenerateFlags) => {
      const { boundary, system, template, seed, ...rest } = flags;
      const answer = await generateOnce(
        {
          ...rest,
          ...{ boundary, system, template, seed },
          prompt: prompt === "-" ? await standardInput() : prompt,
          engine: { gpu, gpuLayers, ...(threads === undefined ? {} : { threads }) },
        },
        (text) => {
          if (!json) printAnswer(text);
        },
        signal,
      );
      if (!json) print("\n");
      else {
        const { text, tokens, stopReason, promptTokens, prefillMs, decodeMs } = answer;
        print(stableJson({ boundary: answer.boundary, text, tokens, stopReason, promptTokens, prefillMs, decodeMs }));
      }
    });
}

/** @throws UsageError where it is longer than any prompt. */
async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > CONFIG_BYTES) {
      throw new UsageError({
        what: "the prompt on standard input is too long",
        expected: `at most ${CONFIG_BYTES.toLocaleString("en-US")} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function temperature(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 2)) throw new InvalidArgumentError("It must be from 0 to 2.");
  return value;
}
