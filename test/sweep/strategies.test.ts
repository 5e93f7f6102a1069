import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { boundaryOf } from "../../src/run/entry-names.js";
import { RunFolderError, UsageError } from "../../src/errors.js";
import { runPage } from "../../src/report/html/run-page.js";
import { reportMarkdown } from "../../src/report/markdown.js";
import { loadReport } from "../../src/report/report-input.js";
import { compareRuns } from "../../src/report/run-curves.js";
import { sweepReport } from "../../src/report/terminal.js";
import { openServedModel } from "../../src/server/served-model.js";
import { loadRun } from "../../src/run/load-run.js";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import { rescore } from "../../src/sweep/rescore.js";
import type { SweepResult } from "../../src/run/result.js";
import { planOnly, sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

interface OutputRow {
  boundary: number;
  sampleId: string;
  part: string;
  tokens: number[];
}

const folder = temporaryFolder();
let fixture: SweepFixture;

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path, { samples: 36 });
}, ENGINE_START_MS);

function configFor(name: string, more: Record<string, unknown> = {}): SweepConfig {
  const fixed = { gpu: "off", threads: 1, maxTokens: 6, metric: "contains-plain", rule: "best" };
  return parseConfig({ ...fixture, out: join(folder.path, name), ...fixed, ...more });
}

async function outputsOf(name: string): Promise<OutputRow[]> {
  const lines = (await readFile(join(folder.path, name, "outputs.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as OutputRow);
}

function withoutTimings(result: SweepResult): Partial<SweepResult> {
  const rest: Partial<SweepResult> = { ...result };
  delete rest.timings;
  return rest;
}

/** The tokens of one candidate's answers, by sample. */
async function tokensOf(name: string, isIt: (boundary: number) => boolean): Promise<Record<string, number[]>> {
  const rows = (await outputsOf(name)).filter(({ boundary }) => isIt(boundary));
  return Object.fromEntries(rows.map(({ sampleId, tokens }) => [sampleId, tokens]));
}

describe("a sweep of another strategy", () => {
  it("window: tries the windows, base and full, and its export gives what was seen", async () => {
    const masks = join(folder.path, "middle.yaml");
    await writeFile(masks, "- {name: middle, layers: 1-2, modules: 'attn_q,ffn_up'}\n");
    const windows = await sweep(configFor("windows", { strategy: "window:2" }));
    expect(windows.strategy).toEqual({ name: "window:2", nested: false });
    expect(windows.candidates.map(({ name }) => name)).toEqual([
      "base",
      "layers 0-1",
      "layers 1-2",
      "layers 2-3",
      "full",
    ]);
    expect(windows.verdict.sentences.join(" ")).not.toMatch(/K=/);
    const own = await sweep(configFor("middle", { strategy: `masks:${masks}`, holdout: 0 }));
    const middle = own.candidates.find(({ name }) => name === "middle");
    expect(middle?.keeps).toBe("attn_q, ffn_up of layers 1-2");
  });

  it("scale: the exported file holds the scale, and gives token for token what was seen", async () => {
    const masks = join(folder.path, "soft.yaml");
    await writeFile(masks, "- {name: soft, parts: [{keep: 4}, {layers: 2-3, scale: 0.7}]}\n");
    const more = { strategy: `masks:${masks}`, holdout: 0, rule: "no-worse", margin: 100, metric: "contains-plain" };
    const result = await sweep(configFor("soft", more));
    // With such a margin everything passes: base has the fewest bytes.
    expect(result.verdict.kind).toBe("adapter-does-not-help");
    expect(result.choice.steps.map(({ passed }) => passed)).toEqual([true, true]);
    const floor = { ...more, rule: "best" };
    const best = await sweep(configFor("soft-best", floor));
    const soft = best.candidates.find(({ name }) => name === "soft");
    expect(soft).toMatchObject({ keeps: "layers 0-1; 0.7 of layers 2-3", keptModules: best.adapter.modules });
    const seen = (await outputsOf("soft-best")).filter(({ boundary }) => boundary === soft?.boundary);
    const { trimAdapter } = await import("../../src/adapter/trim.js");
    const { maskOf } = await import("../../src/adapter/mask.js");
    const adapter = await loadGgufAdapter(fixture.adapter);
    const trimmed = join(folder.path, "soft.gguf");
    const provenance = { sourceSha256: "0", boundary: undefined, command: "" };
    const mask = maskOf(adapter.modules, 4, (layer) => (layer < 2 ? 1 : 0.7));
    await trimAdapter(adapter, mask, trimmed, provenance, { overwrite: true });
    await sweep(configFor("soft-alone", { adapter: trimmed, boundaries: "full", holdout: 0 }));
    const alone = (await outputsOf("soft-alone")).filter(({ boundary }) => boundary === 4);
    expect(alone.map(({ tokens }) => tokens)).toEqual(seen.map(({ tokens }) => tokens));
    const full = (await outputsOf("soft-best")).filter(({ boundary }) => boundary > (soft?.boundary ?? 0));
    expect(alone.map(({ tokens }) => tokens)).not.toEqual(full.map(({ tokens }) => tokens));
  });

  it.each(["top:1-3:nll", "top:2:cka", "top:2:norm", "top:2:energy", "top:2:random", "greedy"])(
    "%s: ranks the layers, says so, exports what it chose, and ends in the same result again",
    async (strategy) => {
      const name = strategy.replaceAll(":", "-");
      const result = await sweep(configFor(name, { strategy }));
      expect([...(result.strategy?.ranking?.layers ?? [])].sort()).toEqual([0, 1, 2, 3]);
      if (result.trimmed) {
        const trimmed = join(folder.path, name, "trimmed.gguf");
        expect((await loadGgufAdapter(trimmed)).coverage).toHaveLength(result.choice.boundary);
        await sweep(configFor(`${name}-alone`, { adapter: trimmed, boundaries: "full", holdout: 0 }));
        const alone = await tokensOf(`${name}-alone`, (boundary) => boundary > 0);
        expect(Object.keys(alone)).toHaveLength(36);
        expect(alone).toEqual(await tokensOf(name, (boundary) => boundary === result.choice.boundary));
      }
      const again = await sweep(configFor(name, { strategy }));
      expect(again.timings.answersGenerated).toBe(0);
      expect(withoutTimings(again)).toEqual(withoutTimings(result));
    },
    ENGINE_START_MS,
  );

  it("is scored again from its folder", async () => {
    const scored = await rescore(join(folder.path, "windows"), { metric: "f1" });
    expect(scored.candidates.map(({ name }) => name)).toEqual([
      "base",
      "layers 0-1",
      "layers 1-2",
      "layers 2-3",
      "full",
    ]);
    expect(scored.metric).toBe("f1");
  });

  it("is laid out without being ranked", async () => {
    const { plan } = await planOnly(configFor("unused", { strategy: "greedy" }));
    expect(plan.isRanked).toBe(false);
    expect(plan.candidates.map(({ name }) => name)).toEqual(["base", "greedy 1", "greedy 2", "greedy 3", "full"]);
  });
});

describe("what a strategy does not go with", () => {
  it.each([
    [{ strategy: "window:2", boundaries: "1-3" }, "the strategy window has no boundaries"],
    [{ strategy: "suffix", rule: "paper" }, "--rule paper names a boundary"],
    [{ strategy: "window:2", race: true }, "--race needs masks"],
    [{ strategy: "top:2:cka", limit: 12 }, "too few samples to rank layers by cka"],
  ])("%j", async (more, words) => {
    const error = await failureOf(UsageError, () => sweep(configFor("wrong", more)));
    expect(error.message).toContain(words);
  });
});

describe("a run of another strategy", () => {
  it("is compared by its names, and refused where boundaries are needed", async () => {
    const run = join(folder.path, "windows");
    const finished = await loadRun(run);
    expect(boundaryOf(finished, "full")).toBe(finished.result.candidates.find(({ name }) => name === "full")?.boundary);
    expect(boundaryOf(finished, "chosen")).toBe(finished.result.choice.boundary);
    for (const use of [
      () => Promise.resolve(boundaryOf(finished, "K=2")),
      () => openServedModel({ run }),
      () => compareRuns([run, run], 2),
    ]) {
      const error = await failureOf(RunFolderError, async () => use());
      expect(error.message).toContain("tried no boundaries");
      expect(error.message).toContain("trimmed.gguf");
    }
  });

  it("has a page and Markdown that speak of masks", async () => {
    const run = join(folder.path, "windows");
    const report = await loadReport(run);
    const page = runPage(report);
    expect(page).toContain("layers 1-2");
    expect(page).not.toMatch(/K=\d/);
    expect(reportMarkdown(report)).not.toMatch(/K=\d/);
    expect(sweepReport(report.result)).toContain("keeps");
  });
});
