import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { metricByName } from "../../src/metrics/registry.js";
import { bundledPrompt, loadPrompt, renderPrompt } from "../../src/tasks/prompt.js";
import { taskByName, taskNames } from "../../src/tasks/task.js";
import { failureOf } from "../support/failure.js";

describe("tasks", () => {
  it("qa answers with a short span, scored by EM, F1 and contains, chosen by contains", async () => {
    const qa = taskByName("qa");
    expect(qa).toEqual({
      name: "qa",
      kind: "qa",
      promptPath: bundledPrompt("qa.jinja"),
      maxTokens: 32,
      stop: { chat: [], raw: ["\n"] },
      metrics: ["em", "f1", "contains"],
      primary: "contains",
    });
    expect(await readFile(bundledPrompt("qa.jinja"), "utf8")).toContain("{{ question }}");
  });

  it("are found by every name that is listed", () => {
    expect(taskNames().map((name) => taskByName(name).name)).toEqual(taskNames());
    expect(taskNames()).toEqual([...taskNames()].sort());
  });

  const example = {
    question: "How many?",
    dialogue: "Ann: hi",
    source: "Good morning",
    source_language: "English",
    target_language: "Chinese",
  };
  it.each([
    ["math", 'Solve the problem step by step. Write the final number after "####".\n\nHow many?'],
    ["summary", "Summarize the dialogue in one to three sentences.\n\nDialogue:\nAnn: hi"],
    ["translation", "Translate the text from English into Chinese. Write the translation alone.\n\nGood morning"],
    ["yes-no", "How many?\n\nAnswer with yes or no alone."],
  ])("%s has a prompt that asks for what it scores", async (name, message) => {
    const { promptPath, metrics, primary } = taskByName(name);
    const prompt = await loadPrompt(promptPath ?? "");
    expect(renderPrompt(prompt, { id: "s", variables: example, references: ["x"] }, "d.jsonl")).toBe(message);
    const made = metrics.map((metric) => metricByName(metric, { rules: "squad" }).name);
    expect(made).toContain(metricByName(primary, { rules: "squad" }).name);
  });

  it("custom has no prompt of its own", () => {
    expect(taskByName("custom").promptPath).toBeUndefined();
  });

  it.each(["qq", "QA", "", "constructor", "toString", "__proto__"])("refuses %j with a near name", async (name) => {
    const error = await failureOf(UsageError, () => taskByName(name));
    expect(error.message).toContain(
      `unknown task: found ${JSON.stringify(name)}, expected one of chat, custom, math, qa`,
    );
    expect(error.message).toMatch(/Did you mean [a-z-]+\?/);
    expect(error.exitCode).toBe(2);
  });
});
