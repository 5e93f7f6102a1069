import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { parseConfig, type SweepConfig } from "../../src/sweep/config.js";
import type { SweepResult } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { realModel, workbenchTitle } from "../support/real-model.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { workbench } from "../support/workbench.js";

interface Row {
  boundary: number;
  sampleId: string;
  output: string;
  tokens: number[];
}

const LAYERS = 30;
const SAMPLES = 12;
const MAX_TOKENS = 32;
const reference = fileURLToPath(new URL("../../eval/reference/node-llama-cpp-alone.mjs", import.meta.url));

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

describe.skipIf(workbench === undefined)(`the real model and adapter of the workbench ${workbenchTitle}`, () => {
  const folder = temporaryFolder();
  const bench = workbench ?? "";
  let model: string;
  const adapter = join(bench, "adapters/qa/qa.gguf");
  const data = join(bench, "data/qa-selection.jsonl");
  let result: SweepResult;

  const configFor = (name: string, more: Record<string, unknown>): SweepConfig =>
    parseConfig({
      model,
      adapter,
      data,
      out: join(folder.path, name),
      gpu: "off",
      limit: SAMPLES,
      holdout: 0,
      maxTokens: MAX_TOKENS,
      ...more,
    });
  const rowsOf = async (name: string, boundary: number): Promise<Row[]> => {
    const text = await readFile(join(folder.path, name, "outputs.jsonl"), "utf8");
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);
    return rows.filter((row) => row.boundary === boundary);
  };
  /** Answers of a script that uses node-llama-cpp alone. */
  const referenceRows = (...adapters: string[]): Pick<Row, "sampleId" | "output" | "tokens">[] => {
    const { stdout, status } = spawnSync(
      process.execPath,
      [reference, model, data, String(SAMPLES), String(MAX_TOKENS), ...adapters],
      { encoding: "utf8", env: { ...process.env, UV_THREADPOOL_SIZE: "1" } },
    );
    expect(status).toBe(0);
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);
  };

  beforeAll(async () => {
    model = realModel();
    result = await sweep(configFor("sweep", { boundaries: "0,15,full" }));
  }, 600_000);

  it("K=0 equals a run with no adapter, output for output", async () => {
    const plain = (await rowsOf("sweep", 0)).map(({ sampleId, output, tokens }) => ({ sampleId, output, tokens }));
    expect(plain).toEqual(referenceRows());
  });

  it("K=L equals a run with the untouched file, output for output", async () => {
    const full = (await rowsOf("sweep", LAYERS)).map(({ sampleId, output, tokens }) => ({ sampleId, output, tokens }));
    expect(full).toEqual(referenceRows(adapter));
  });

  it("the trimmed file, loaded alone, reproduces the sweep's outputs exactly", async () => {
    const trimmed = join(folder.path, "trimmed.gguf");
    const made = spawnSync(process.execPath, [command, "trim", adapter, "--keep", "15", "--out", trimmed]);
    expect(made.status).toBe(0);
    await sweep(configFor("alone", { adapter: trimmed, boundaries: "full" }));
    const tokens = async (name: string, boundary: number): Promise<[string, number[]][]> =>
      (await rowsOf(name, boundary)).map((row) => [row.sampleId, row.tokens]);
    expect(await tokens("alone", LAYERS)).toEqual(await tokens("sweep", 15));
  });

  it("the adapter does something: EM rises from base to full", () => {
    const em = (boundary: number): number | undefined =>
      result.candidates.find((candidate) => candidate.boundary === boundary)?.selection?.scores["em"]?.value;
    expect(em(0)).toBe(0);
    expect(em(LAYERS)).toBeGreaterThan(25);
  });
});
