import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPrompt, renderPrompt, bundledPrompt } from "../../src/tasks/prompt.js";
import { loadSamples } from "../../src/samples/load.js";
import { parseConfig } from "../../src/sweep/config.js";
import { sweep } from "../../src/sweep/sweep.js";
import { jsonl } from "../samples/files.js";
import { realModel, workbenchTitle } from "../support/real-model.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { workbench } from "../support/workbench.js";

describe.skipIf(workbench === undefined)(`training data on the real model ${workbenchTitle}`, () => {
  const folder = temporaryFolder();
  const bench = workbench ?? "";
  let model: string;

  beforeAll(() => {
    model = realModel();
  }, 600_000);

  it("messages that are the adapter's training prompts give the answers of --task qa, token for token", async () => {
    const data = join(bench, "data/qa-selection.jsonl");
    const { samples } = await loadSamples(data, { limit: 4 });
    const prompt = await loadPrompt(bundledPrompt("qa.jinja"));
    const rows = samples.map((sample) => ({
      id: sample.id,
      messages: [
        { role: "user", content: renderPrompt(prompt, sample, data) },
        { role: "assistant", content: sample.references[0] },
      ],
    }));
    const messages = join(folder.path, "messages.jsonl");
    await writeFile(messages, jsonl(...rows));
    const answers = async (name: string, more: Readonly<Record<string, unknown>>): Promise<unknown[]> => {
      const out = join(folder.path, name);
      const fixed = { gpu: "off", holdout: 0, boundaries: "15,full", rule: "best", maxTokens: 32, limit: 4 };
      const result = await sweep(
        parseConfig(more, { model, adapter: join(bench, "adapters/qa/qa.gguf"), out, ...fixed }),
      );
      expect(result.data.format).toBe(name);
      const lines = (await readFile(join(out, "outputs.jsonl"), "utf8")).trim().split("\n");
      return lines.map((line) => JSON.parse(line) as unknown);
    };
    const asked = await answers("jsonl", { data, task: "qa" });
    expect(asked).toHaveLength(12);
    expect(await answers("openai", { data: messages })).toEqual(asked);
  });
});
