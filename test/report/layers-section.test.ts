import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StrategiesResult } from "../../src/compare/strategies-result.js";
import { FormatError, RunFolderError } from "../../src/errors.js";
import { runPage } from "../../src/report/html/run-page.js";
import { loadReport, type ProbeMarks } from "../../src/report/report-input.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun } from "./finished-run.js";
import { tableOf, textOf } from "./tags.js";

const folder = temporaryFolder();

const curve = (token: number, means: readonly number[]) => ({
  token,
  samples: 9,
  points: means.map((mean, layer) => ({ layer, mean, low: mean - 0.01, high: mean + 0.01 })),
});

const probe: ProbeMarks = {
  layers: 4,
  samples: 9,
  truth: [curve(1, [0.02, 0.03, 0.5, 0.9]), curve(2, [0.5, 0.5, 0.5, 0.5])],
  knees: [{ method: "kneedle", layer: 1, boundary: 2, interval: { low: 1, high: 2 }, risingShare: 1 }, null],
  confidence: [{ boundary: 2, curves: [curve(1, [0.2, 0.3, 0.4, 0.4])] }],
  differences: [{ boundary: 2, curve: curve(1, [0, 0, -0.1, -0.2]) }],
  ranking: [3, 0, 2, 1],
  notes: ["A note of the probe."],
};

const scored = { value: 80, low: 70, high: 90, method: "m" };
const paired = {
  difference: -1.5,
  low: -4,
  high: 1,
  method: "m",
  better: 1,
  worse: 2,
  same: 6,
  p: { bootstrap: 0.5, randomization: 0.5 },
  effect: {},
};
const strategies: StrategiesResult = {
  schemaVersion: 1,
  tool: { name: "boundary", version: "0" },
  config: {},
  model: { sha256: "", layers: 4 },
  adapter: { sha256: "", modules: 4, bytes: 4000 },
  metric: "em",
  label: "EM",
  rule: "best",
  budget: 1000,
  selectionSamples: 9,
  finalSamples: 7,
  base: scored,
  full: scored,
  rows: [
    {
      strategy: "top:2:<b>",
      chosen: "nll 2",
      keeps: "layers 0, 3",
      keptModules: 2,
      bytes: 2000,
      masks: 3,
      samples: 9,
      selection: 82,
      final: scored,
      finalMinusFull: paired,
      spent: { ranking: 400, answers: 500 },
    },
  ],
  left: [{ strategy: "greedy", reason: "too dear" }],
  notes: [],
};

async function runWith(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  const path = join(folder.path, name);
  await writeFinishedRun(path, {});
  for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), JSON.stringify(content));
  return path;
}

describe("a probe and strategies on a run's page", () => {
  it("are shown where the run's folder has them", async () => {
    const page = runPage(
      await loadReport(await runWith("own", { "probe.json": probe, "strategies.json": strategies })),
    );
    expect(tableOf(page, "Where the curve of each token begins to rise")?.slice(1)).toEqual([
      ["1", "9", "1", "1 to 2", "K=2 of 4"],
      ["2", "9", "does not rise", "", ""],
    ]);
    expect(textOf(page)).toContain("A note of the probe.");
    const table = tableOf(page, "What each chose on the selection, and what that is worth on the final part");
    expect(table?.[1]).toEqual([
      "top:2:<b>",
      "nll 2",
      "layers 0, 3",
      "2.0 kB",
      "3 x 9",
      "82.0",
      "80.0 (70.0 to 90.0)",
      "-1.5 (-4.0 to +1.0)",
      "90 %",
    ]);
    expect(page).not.toContain("top:2:<b>");
    expect(textOf(page)).toContain("greedy: left out, too dear.");
  });

  it("come from folders that are named, and are absent otherwise", async () => {
    const run = await runWith("plain", {});
    const page = runPage(await loadReport(run));
    expect(page).not.toContain("What the layers show");
    expect(page).not.toContain("Other ways to choose");
    const other = join(folder.path, "other");
    await mkdir(other);
    await writeFile(join(other, "probe.json"), JSON.stringify(probe));
    expect(runPage(await loadReport(run, { probe: other }))).toContain("What the layers show");
    const error = await failureOf(RunFolderError, () => loadReport(run, { strategies: other }));
    expect(error.message).toContain("has no strategies.json");
  });

  it("are refused where they are damaged", async () => {
    const run = await runWith("damaged", { "probe.json": { ...probe, truth: "x" } });
    await failureOf(FormatError, () => loadReport(run));
  });
});
