import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeTinyAdapter, writeTinyModel } from "./tiny-model.js";

/** Milliseconds that a hook may take which starts an engine: on a busy machine that is many times what it takes alone. */
export const ENGINE_START_MS = 120_000;

export interface SweepFixture {
  readonly model: string;
  readonly adapter: string;
  readonly data: string;
  readonly prompt: string;
}

const topics = [
  "otter",
  "lamp",
  "river",
  "clock",
  "meadow",
  "violin",
  "harbour",
  "comet",
  "orchard",
  "ladder",
  "copper",
  "window",
];

/**
 * A tiny random model, a random adapter, twelve samples whose references its outputs sometimes contain, and a short prompt: most of a tiny
 * model's time goes into attention over the prompt.
 */
export async function writeSweepFixture(folder: string, options: { samples?: number } = {}): Promise<SweepFixture> {
  const model = await writeTinyModel(folder, "base.gguf", { architecture: "llama" });
  const adapter = await writeTinyAdapter(folder, "lora.gguf", { architecture: "llama" });
  const data = join(folder, "validation.jsonl");
  await writeFile(data, sampleLines(options.samples ?? topics.length));
  return { model, adapter, data, prompt: await writePrompt(folder) };
}

/** A prompt of nothing but a sample's own words. */
export async function writePrompt(folder: string): Promise<string> {
  const prompt = join(folder, "prompt.jinja");
  await writeFile(prompt, "Q: {{ question }} {{ context }}");
  return prompt;
}

/** JSONL samples about made-up things; references are single letters, so that random outputs score between 0 and 100 in contains-plain. */
export function sampleLines(count: number): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const topic = topics[i % topics.length] ?? "thing";
    const context = `The ${topic} number ${i} stands by the ${topics[(i + 5) % topics.length] ?? "wall"}.`;
    const question = `Where does the ${topic} number ${i} stand?`;
    return { id: `s${i}`, question, context, answers: letters(i), kind: i % 3 === 0 ? "third" : "other" };
  });
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

function letters(start: number): string[] {
  return Array.from({ length: 8 }, (_, i) => String.fromCharCode(97 + ((start * 3 + i) % 26)));
}

/** Flags of a sweep over the fixture that any machine repeats. */
export function sweepArguments(
  { model, adapter, data, prompt }: SweepFixture,
  out: string,
  ...more: string[]
): string[] {
  const fixed = [
    "--gpu",
    "off",
    "--threads",
    "1",
    "--max-tokens",
    "6",
    "--sequences",
    "3",
    "--metric",
    "contains-plain",
  ];
  return [
    "sweep",
    "--model",
    model,
    "--adapter",
    adapter,
    "--data",
    data,
    "--prompt",
    prompt,
    "--out",
    out,
    ...fixed,
    ...more,
  ];
}

/** Flags of a probe over the fixture that any machine repeats. */
export function probeArguments({ model, adapter, data, prompt }: SweepFixture, ...more: string[]): string[] {
  const files = ["--model", model, "--adapter", adapter, "--data", data, "--prompt", prompt];
  return ["probe", ...files, "--gpu", "off", "--threads", "1", "--holdout", "0.25", ...more];
}
