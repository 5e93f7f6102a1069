import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { DataView } from "../../src/sweep/data-view.js";
import { jsonl } from "../samples/files.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyModel } from "../support/tiny-model.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let model = "";

const turn = (role: string, content: string) => ({ role, content });

beforeAll(async () => {
  model = await writeTinyModel(folder.path, "base.gguf", { architecture: "llama", contextLength: 2048 });
  const talks = Array.from({ length: 4 }, (_, i) => ({
    messages: [
      turn("system", "Be brief."),
      turn("user", "hello"),
      turn("assistant", "hi"),
      turn("user", `What is ${"x".repeat(i)}?`),
      turn("assistant", "a b"),
    ],
  }));
  await writeFile(at("chat.jsonl"), jsonl(...talks));
  await writeFile(at("own.csv"), "question,answer\nwho?,me\n");
}, ENGINE_START_MS);

describe("boundary data", () => {
  it("says what was understood, without a model", async () => {
    const { code, stdout, stderr } = await callCli(["data", at("chat.jsonl")]);
    expect(code, stderr).toBe(0);
    expect(stdout.split("\n")).toEqual([
      at("chat.jsonl"),
      "layout      OpenAI's chat layout (messages)",
      "samples     4",
      "messages    4 system, 8 user, 8 assistant",
      "task        chat",
      "references  median 2 words (2 to 2; 95 % have at most 2)",
      "",
      expect.stringMatching(/^K is chosen by contains: half of the references have at most 2 words/),
      "",
      "Sample line-1; --model shows it as the model reads it.",
      "Its reference:",
      "a b",
      "",
    ]);
  });

  it("shows a sample as the model reads it, and how long prompts and answers are", async () => {
    const args = ["data", at("chat.jsonl"), "--model", model, "--sample", "2"];
    const { code, stdout, stderr } = await callCli(args);
    expect(code, stderr).toBe(0);
    const prompt =
      "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\nhi<|im_end|>\n" +
      "<|im_start|>user\nWhat is x?<|im_end|>\n<|im_start|>assistant\n";
    expect(stdout).toContain(`Sample line-2, as the model reads it:\n${prompt}\n\nIts reference:\na b\n`);
    const json = await callCli([...args, "--json"]);
    const view = JSON.parse(json.stdout) as DataView;
    expect(view).toMatchObject({
      format: "openai",
      roles: { system: 4, user: 8, assistant: 8 },
      samples: 4,
      task: "chat",
    });
    expect(view.asked?.prompt).toBe(prompt);
    expect(view.asked?.promptTokens.max).toBe((view.asked?.promptTokens.min ?? 0) + 3);
    expect(view.asked?.referenceTokens).toEqual({ min: 3, median: 3, p95: 3, max: 3 });
  });

  it("makes every answer a sample where that is asked for, under another template", async () => {
    const args = ["data", at("chat.jsonl"), "-m", model, "--turns", "all", "--chat-template", "zephyr", "--json"];
    const view = JSON.parse((await callCli(args)).stdout) as DataView;
    expect([view.samples, view.shown]).toEqual([8, { id: "line-1.1", references: ["hi"] }]);
    expect(view.asked?.prompt).toMatch(/^<\|system\|>\nBe brief\..*\n<\|user\|>\nhello.*\n<\|assistant\|>\n$/);
  });

  it("reads rows of our own too, and refuses a sample that there is not", async () => {
    const { stdout } = await callCli(["data", at("own.csv")]);
    expect(stdout).toContain("layout      rows with fields of our names\nsamples     1\ntask        qa\n");
    const { code, stderr } = await callCli(["data", at("own.csv"), "--sample", "2"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("there is no such sample to show: found --sample 2, expected 1 to 1"),
    ]);
  });
});
