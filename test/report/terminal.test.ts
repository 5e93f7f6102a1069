import { spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import picocolors from "picocolors";
import type { SweepResult } from "../../src/sweep/result.js";
import { sweepResult } from "../support/sweep-result.js";

/** The report as it is where colours are or are not supported, whatever this process' own terminal is. */
async function reportWith(colours: boolean, result: SweepResult = sweepResult()): Promise<string> {
  vi.resetModules();
  vi.doMock("picocolors", () => ({ default: picocolors.createColors(colours) }));
  const terminal = await import("../../src/report/terminal.js");
  return terminal.sweepReport(result);
}

afterEach(() => {
  vi.doUnmock("picocolors");
});

const ESCAPE = "\u001b[";

describe("the report of a sweep", () => {
  it("has a row for each boundary, with scores, lengths, speeds and bytes", async () => {
    const lines = (await reportWith(false)).split("\n");
    const words = lines.map((line) => line.trim().split(/ {2,}/));
    const head = words.findIndex(([first]) => first === "K");
    expect(words.slice(head - 1, head + 4)).toEqual([
      ["Selection: 20 samples, every boundary"],
      ["K", "EM", "contains", "tokens/answer", "prefill tok/s", "decode tok/s", "adapter bytes"],
      ["0 base", "10.0", "11.0", "3.3", "1000", "51", "0"],
      ["2 *", "45.0", "46.0", "3.3", "1002", "53", "1,234,567"],
      ["4 (= 5-6) full", "44.0", "45.0", "3.3", "1004", "55", "2,469,134"],
    ]);
  });

  it("sets the chosen boundary beside base and full on the holdout", async () => {
    const report = await reportWith(false);
    const words = report.split("\n").map((line) => line.trim().split(/ {2,}/));
    const head = words.findIndex(([first]) => first === "metric");
    expect(words.slice(head - 1, head + 3)).toEqual([
      ["Holdout: 20 samples that chose nothing"],
      ["metric", "base", "full", "chosen (K=2)", "chosen - full", "95 % interval", "better/worse"],
      ["EM", "10.0", "42.5", "40.0", "-2.5", "-10.0 to +5.0", "1/2"],
      ["contains", "10.0", "42.5", "40.0", "-2.5", "-10.0 to +5.0", "1/2"],
    ]);
  });

  it("draws the primary metric, and ends with the verdict and the notes", async () => {
    const report = await reportWith(false);
    expect(report).toContain("contains against K (selection)");
    expect(report).toContain("46.0 ┤");
    expect(report.split("\n").slice(-3)).toEqual(["Keep the adapter in layers 0 to 1.", "It is so.", "Note: A note."]);
  });

  it("says it when the samples that confirm are those that chose", async () => {
    const result = sweepResult();
    const inSample = { ...result, confirmation: { ...result.confirmation, part: "selection" as const } };
    expect(await reportWith(false, inSample)).toContain("In-sample: the 20 samples that also chose K (no holdout)");
  });

  it("has no escape codes without colours, and the same text with them", async () => {
    const plain = await reportWith(false);
    const coloured = await reportWith(true);
    expect(plain).not.toContain(ESCAPE);
    expect(coloured).toContain(ESCAPE);
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it("is no wider than 100 columns", async () => {
    for (const line of (await reportWith(false)).split("\n")) expect(line.length).toBeLessThan(100);
  });

  it("asks picocolors, which heeds NO_COLOR even where colours are forced", () => {
    const script = "import('picocolors').then(({ default: pc }) => process.stdout.write(pc.bold('x')))";
    const run = (environment: Record<string, string>): string =>
      spawnSync(process.execPath, ["-e", script], { env: { ...environment }, encoding: "utf8" }).stdout;
    expect(run({ FORCE_COLOR: "1" })).toContain(ESCAPE);
    expect(run({ FORCE_COLOR: "1", NO_COLOR: "1" })).toBe("x");
  });
});
