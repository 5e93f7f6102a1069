import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { bundledPrompt } from "../../src/tasks/prompt.js";
import { taskByName, taskNames } from "../../src/tasks/task.js";
import { failureOf } from "../support/failure.js";

describe("tasks", () => {
  it("qa answers with a short span, scored by EM, F1 and contains, chosen by contains", async () => {
    const qa = taskByName("qa");
    expect(qa).toEqual({
      name: "qa",
      promptPath: bundledPrompt("qa.jinja"),
      maxTokens: 32,
      stop: { chat: [], raw: ["\n"] },
      metrics: ["em", "f1", "contains"],
      primary: "contains",
    });
    expect(await readFile(qa.promptPath, "utf8")).toContain("{{ question }}");
  });

  it("are found by every name that is listed", () => {
    expect(taskNames.map((name) => taskByName(name).name)).toEqual(taskNames);
    expect(taskNames).toContain("qa");
  });

  it.each(["qq", "QA", "", "constructor", "toString", "__proto__"])(
    "refuses %j with the nearest name",
    async (name) => {
      const error = await failureOf(UsageError, () => taskByName(name));
      expect(error.message).toContain(`unknown task: found ${JSON.stringify(name)}, expected qa`);
      expect(error.message).toContain("Did you mean qa?");
      expect(error.exitCode).toBe(2);
    },
  );
});
