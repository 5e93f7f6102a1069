import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../src/compare/compare.js";
import { compareConfigSchema } from "../../src/compare/config.js";
import { loadRun } from "../../src/run/load-run.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import { resolveSettings } from "../../src/settings.js";
import { rescore } from "../../src/sweep/rescore.js";
import { sweep } from "../../src/sweep/sweep.js";
import { realModel, workbenchTitle } from "../support/real-model.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { workbench } from "../support/workbench.js";

const LAYERS = 30;

describe.skipIf(workbench === undefined)(`every task on the real model ${workbenchTitle}`, () => {
  const folder = temporaryFolder();
  const bench = workbench ?? "";
  const at = (name: string): string => join(folder.path, name);
  const data = (name: string): string => join(bench, "data", name);
  const qa = join(bench, "adapters/qa/qa.gguf");
  const math = join(bench, "adapters/math/math.gguf");
  let model: string;

  const configFor = (out: string, more: Record<string, unknown>): SweepConfig =>
    parseConfig({
      model,
      adapter: qa,
      out: at(out),
      gpu: "off",
      holdout: 0,
      boundaries: "0,full",
      rule: "best",
      ...more,
    });

  beforeAll(() => {
    model = realModel();
  }, 600_000);

  it("qa on HotpotQA: a sweep, the trimmed adapter compared with full, and the same scores again without the model", async () => {
    const settings = {
      task: "qa",
      data: data("hotpot-evidence.jsonl"),
      limit: 6,
      qaScript: "hotpotqa",
      groupBy: "type",
    };
    const result = await sweep(configFor("hotpot", { ...settings, boundaries: "15,full" }));
    const full = result.candidates.find(({ boundary }) => boundary === LAYERS);
    expect(Object.keys(full?.selection?.groups ?? {}).length).toBeGreaterThan(0);
    expect(full?.selection?.scores["f1"]?.signature).toContain("rules:hotpotqa-v1");

    const compared = await compare(
      resolveSettings(compareConfigSchema, "compare", [
        { model, adapter: qa, gpu: "off", ...settings, against: ["base", "K=15", `${at("hotpot")}#full`] },
      ]),
    );
    const [first, base, , fromRun] = compared.systems;
    expect(compared.systems.map(({ name }) => name)).toEqual(["full", "base", "K=15", "hotpot#full"]);
    expect(first?.scores).toEqual(fromRun?.scores);
    expect(fromRun?.against?.["em"]).toMatchObject({ difference: 0, better: 0, worse: 0 });
    expect(base?.answers.meanTokens).toBeGreaterThan(first?.answers.meanTokens ?? Infinity);

    const again = await rescore(at("hotpot"), { metric: "em" });
    expect(again.metric).toBe("em");
    expect(again.candidates[0]?.selection?.scores).toEqual(result.candidates[0]?.selection?.scores);
  });

  // Each answer ends in "####" more often than not, and which ones do depends on the CPU's kernels: twelve make it sure.
  it("math on GSM8K as published: the adapter learnt to end in ####, the base did not", async () => {
    const result = await sweep(
      configFor("math", { task: "math", adapter: math, data: data("gsm8k-format.jsonl"), limit: 12, maxTokens: 200 }),
    );
    expect(result.data.format).toBe("gsm8k");
    const outputs = (await loadRun(at("math"))).answers(LAYERS, "selection") ?? [];
    expect(outputs.some(({ output }) => output.includes("####"))).toBe(true);
    expect(result.candidates.map(({ selection }) => Object.keys(selection?.scores ?? {}).sort())).toEqual([
      ["gsm8k-flexible", "gsm8k-strict"],
      ["gsm8k-flexible", "gsm8k-strict"],
    ]);
  });

  it("translation from parallel text: Chinese is split as Chinese", async () => {
    const result = await sweep(
      configFor("translation", {
        task: "translation",
        data: data("wmt23.en-zh.en"),
        references: data("wmt23.en-zh.zh"),
        limit: 3,
        maxTokens: 48,
      }),
    );
    expect(result.data).toMatchObject({ format: "parallel", targetLanguage: "zh" });
    const signatures = Object.values(result.candidates[0]?.selection?.scores ?? {}).map(({ signature }) => signature);
    expect(signatures.some((signature) => signature.includes("tok:zh"))).toBe(true);
  });

  it("summary from SAMSum's layout", async () => {
    const dialogues = [
      [
        "Tom: Are you coming on Friday?\nEva: No, I work late.\nTom: Saturday then?\nEva: Yes!",
        "Eva comes on Saturday.",
      ],
      ["Ben: I lost my keys again.\nLia: Look in the fridge.\nBen: ...found them.", "Ben's keys were in the fridge."],
    ];
    const rows = dialogues.map(([dialogue, summary], i) => JSON.stringify({ id: `d${i}`, dialogue, summary }));
    await writeFile(at("samsum.jsonl"), `${rows.join("\n")}\n`);
    const result = await sweep(configFor("summary", { task: "summary", data: at("samsum.jsonl"), maxTokens: 48 }));
    expect(result.data.format).toBe("samsum");
    expect(result.metric).toBe("rougeL:stemmer=yes");
    const rouge = result.candidates[0]?.selection?.scores["rouge1:stemmer=yes"]?.value ?? 0;
    expect(rouge).toBeGreaterThan(0);
    expect(await readFile(at("summary/samples.jsonl"), "utf8")).toContain("Look in the fridge");
  });
});
