import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { adviseConfigSchema, type AdviseConfig } from "../../src/probe/advise-config.js";
import { advise, planAdvice, type Advice } from "../../src/probe/advise.js";
import { resolveSettings } from "../../src/settings.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, sampleLines, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

describe("advice for a tiny model", () => {
  const folder = temporaryFolder();
  let fixture: SweepFixture;
  const config = (more: Readonly<Record<string, unknown>> = {}): AdviseConfig => {
    const { model, data } = fixture;
    return resolveSettings(adviseConfigSchema, "advise", [
      more,
      { model, data, gpu: "off", threads: 1, holdout: 0, map: "question=question,answers=context" },
    ]);
  };

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path, { samples: 24 });
  }, ENGINE_START_MS);

  it("needs no adapter, and ranks as the importances are", async () => {
    const advice = await advise(config({ layersShare: "50%" }));
    const { choice, importances = [], layerCount, rows, samples } = advice;
    expect([samples, choice.layers.length]).toEqual([24, Math.round(layerCount / 2)]);
    const ranked = [...importances].sort((a, b) => (b.plain ?? 0) - (a.plain ?? 0)).map(({ layer }) => layer);
    expect(choice.layers.map(({ layer }) => layer)).toEqual(
      ranked.slice(0, choice.layers.length).sort((a, b) => a - b),
    );
    for (const { layer, rank } of choice.layers) expect(ranked[rank - 1]).toBe(layer);
    expect(rows.map(({ layer }) => layer)).toEqual([...Array(layerCount).keys()]);
    expect(advice.snippets.peft).toContain("r=16,");
    expect(advice.plan.passes).toBe(3);
  });

  it("takes rank, alpha and modules from an adapter", async () => {
    const { snippets } = await advise(config({ adapter: fixture.adapter, objective: "inference", top: 1 }));
    expect(snippets.peft).toContain("r=4,\n    lora_alpha=8,");
    expect(snippets.peft).toContain("layers_to_transform=[0],");
  });

  it("goes by projected residual norms with a card, in as many passes as planned, and the same again", async () => {
    const asked = config({ by: "card", directions: 2, limit: 4, top: 1 });
    let last = [0, 0];
    const advice = await advise(asked, { onProgress: (done, total) => (last = [done, total]) });
    const norms = advice.rows.map(({ residual }) => residual?.norm ?? Number.NaN);
    expect(advice.choice.layers.map(({ layer }) => layer)).toEqual([norms.indexOf(Math.max(...norms))]);
    expect(last).toEqual([2 + 7 * advice.layerCount, 2 + 7 * advice.layerCount]);
    expect(await planAdvice(asked)).toEqual(advice.plan);
    const normsOf = ({ rows }: Advice): unknown => rows.map(({ residual }) => residual);
    expect(normsOf(await advise(asked))).toEqual(normsOf(advice));
  });

  it("refuses too few samples, references without tokens and samples that do not fit", async () => {
    await expect(advise(config({ limit: 8 }))).rejects.toThrow(/too few samples with a reference.*8 samples/s);
    const blank = join(folder.path, "blank.jsonl");
    const rows = sampleLines(4).trimEnd().split("\n");
    await writeFile(
      blank,
      rows.map((row) => `${JSON.stringify({ ...(JSON.parse(row) as object), answers: [" "] })}\n`).join(""),
    );
    await expect(advise(config({ data: blank, by: "card", map: "question=question,answers=answers" }))).rejects.toThrow(
      /0 samples.*at least one/s,
    );
    await expect(advise(config({ contextSize: 40 }))).rejects.toThrow(/does not fit the context.*fewer than 40/s);
    await expect(advise(config({ top: 99 }))).rejects.toThrow(/--top is more than the model has/);
  });

  it(
    "prints layers with a reason each and what to paste",
    async () => {
      const { model, data } = fixture;
      const fixed = ["advise", "-m", model, "-d", data, "--gpu", "off", "--threads", "1"];
      const { code, stdout, stderr } = await callCli([...fixed, "--objective", "cost", "--top", "2"]);
      expect([code, stderr]).toEqual([0, expect.stringContaining("24 samples, 3 passes")]);
      expect(stdout).toMatch(/^Adapt 2 of \d layers in the next training run \(cost: /);
      expect(stdout).toMatch(/^\d +importance \(1 - CKA\) 0\.\d{4}, rank \d of \d/m);
      for (const words of ["LoraConfig(", "lora_target: >-", "FastLanguageModel.get_peft_model("])
        expect(stdout).toContain(words);
      const json = await callCli([...fixed, "--json", "--objective", "inference", "--top", "2"]);
      expect((JSON.parse(json.stdout) as Advice).choice.layers.map(({ layer }) => layer)).toEqual([0, 1]);
      const wrong = await callCli([...fixed, "--top", "2", "--layers-share", "50%"]);
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("exclude each other")]);
    },
    6 * ENGINE_START_MS,
  );
});
