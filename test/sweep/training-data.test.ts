import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { TemplateError, UsageError } from "../../src/errors.js";
import type { SweepResult } from "../../src/run/result.js";
import { parseConfig } from "../../src/sweep/config.js";
import { rescore } from "../../src/sweep/rescore.js";
import { sweep } from "../../src/sweep/sweep.js";
import { jsonl } from "../samples/files.js";
import { failureOf } from "../support/failure.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter, writeTinyModel } from "../support/tiny-model.js";
import { rowsOf } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let model = "";
let adapter = "";

beforeAll(async () => {
  model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", contextLength: 2048 });
  adapter = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama" });
}, ENGINE_START_MS);

const turn = (role: string, content: unknown) => ({ role, content });
const talks = (answer: string): object[] =>
  Array.from({ length: 8 }, (_, i) => ({
    messages: [turn("user", `What is ${i}?`), turn("assistant", `${answer} ${i}`)],
  }));

async function run(name: string, rows: readonly object[], more: Readonly<Record<string, unknown>> = {}) {
  const data = at(`${name}.jsonl`);
  await writeFile(data, jsonl(...rows));
  const fixed = { gpu: "off", threads: 1, sequences: 4, boundaries: "0,full", maxTokens: 4 };
  const config = parseConfig(more, { model, adapter, data, out: at(name), ...fixed });
  const result = await sweep(config);
  return { result, samples: await rowsOf<{ id: string; prompt: string }>(join(config.out, "samples.jsonl")) };
}

const asked = ({ config, metric }: SweepResult): unknown[] => [config["task"], metric, config["metrics"]];

describe("a sweep over training data", () => {
  it("is of the task chat; short references are met word for word", async () => {
    const { result, samples } = await run("short", talks("a"));
    expect(asked(result)).toEqual(["chat", "contains", "em,f1,contains"]);
    expect(result.notes[0]).toMatch(/^K is chosen by contains: half of the references have at most 2 words,/);
    expect(result.data.format).toBe("openai");
    expect(samples.find(({ id }) => id === "line-1")?.prompt).toBe(
      "<|im_start|>user\nWhat is 0?<|im_end|>\n<|im_start|>assistant\n",
    );
    expect(await rescore(at("short"), {})).toEqual(result);
  });

  it("long references are not", async () => {
    const { result } = await run("long", talks("one two three four five six seven eight nine"));
    expect([...asked(result), result.config["confirm"]]).toEqual(["chat", "nll", undefined, "rougeL,chrf,f1"]);
    expect(result.notes[0]).toMatch(/^K is chosen by nll, .*: half of them have at least 10 words,/);
    expect(await rescore(at("long"), {})).toEqual(result);
  });

  it("keeps the metric and the task that were asked for, and the file's own prompts", async () => {
    const { result, samples } = await run("asked", talks("a"), { task: "qa", metric: "f1", chatTemplate: "phi3" });
    expect(asked(result)).toEqual(["qa", "f1", undefined]);
    expect(samples.find(({ id }) => id === "line-1")?.prompt).toBe("<|user|>\nWhat is 0?<|end|>\n<|assistant|>\n");
    expect(result.generation.stop).toEqual(["<|end|>"]);
  });

  it("takes a prompt file's words where there is one", async () => {
    const prompt = at("prompt.jinja");
    await writeFile(prompt, "Say it: {{ question }}");
    const { samples } = await run("prompted", talks("a"), { prompt, template: "raw" });
    expect(samples.find(({ id }) => id === "line-1")?.prompt).toBe("Say it: What is 0?");
  });

  it("needs a template for several turns, and one that writes calls for calls", async () => {
    const rows = talks("a").map(({ messages }: { messages?: object[] }) => ({
      messages: [turn("user", "hello"), turn("assistant", "hi"), ...(messages ?? [])],
    }));
    const error = await failureOf(UsageError, () => run("turns", rows, { template: "raw" }));
    expect(error.message).toContain("--chat-template chatml");
    expect(error.exitCode).toBe(2);
    const calls = rows.map(({ messages }) => ({
      messages: [
        ...messages.slice(0, 1),
        { role: "assistant", content: null, tool_calls: [{ function: { name: "f", arguments: "{}" } }] },
        turn("tool", "x"),
        ...messages.slice(1),
      ],
    }));
    const lost = await failureOf(TemplateError, () => run("calls", calls, { chatTemplate: "chatml" }));
    expect(lost.message).toContain("does not write calls of tools");
  });

  it("with --turns all, keeps the answers of a conversation in one part, and counts conversations", async () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({
      id: `c${i}`,
      messages: [
        turn("user", "hello"),
        turn("assistant", "hi"),
        turn("user", `What is ${i}?`),
        turn("assistant", `a ${i}`),
      ],
    }));
    const { result, samples } = await run("all", rows, { turns: "all", metric: "nll", confirm: "f1" });
    const { selection, holdout } = result.data;
    expect(samples).toHaveLength(12);
    const talksOf = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => id.split(".")[0] ?? ""))];
    expect([selection.length, holdout.length, talksOf(selection).length, talksOf(holdout).length]).toEqual([
      6, 6, 3, 3,
    ]);
    expect(talksOf(selection).filter((id) => talksOf(holdout).includes(id))).toEqual([]);
    const [first] = result.confirmation.comparisons;
    const { better = 0, worse = 0, same = 0 } = first?.chosenMinusFull ?? {};
    expect(better + worse + same).toBe(3);
    expect(result.candidates[0]?.selection?.scores["nll"]?.n).toBe(6);
    expect(await rescore(at("all"), {})).toEqual(result);
    const error = await failureOf(UsageError, () => run("race", rows, { turns: "all", race: true }));
    expect(error.message).toContain("--turns all");
  });

  it("refuses a template that is not known with the nearest name", async () => {
    const error = await failureOf(UsageError, () => run("unknown", talks("a"), { chatTemplate: "chatmll" }));
    expect(error.message).toContain("Did you mean chatml?");
  });
});
