import { spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import picocolors from "picocolors";
import type { SweepResult } from "../../src/run/result.js";
import { sweepResult } from "../support/sweep-result.js";

/** The report as it is printed where colours are or are not supported, whatever this process' own terminal is. */
async function reportWith(colours: boolean, result: SweepResult = sweepResult()): Promise<string> {
  vi.resetModules();
  vi.doMock("picocolors", () => ({ default: picocolors.createColors(colours) }));
  const terminal = await import("../../src/report/terminal.js");
  const { forTerminal } = await import("../../src/report/paint.js");
  return forTerminal(terminal.sweepReport(result));
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
      ["K", "contains", "EM", "tokens/answer", "prefill tok/s", "decode tok/s", "adapter bytes"],
      ["0 base", "11.0", "10.0", "3.3", "1000", "51", "0"],
      ["2 *", "46.0", "45.0", "3.3", "1002", "53", "1,234,567"],
      ["4 (= 5-6) full", "45.0", "44.0", "3.3", "1004", "55", "2,469,134"],
    ]);
  });

  it("sets the chosen boundary beside base and full on the holdout", async () => {
    const report = await reportWith(false);
    const words = report.split("\n").map((line) => line.trim().split(/ {2,}/));
    const head = words.findIndex(([first]) => first === "metric");
    expect(words.slice(head - 1, head + 3)).toEqual([
      ["Holdout: 20 samples that chose nothing"],
      ["metric", "base", "full", "chosen (K=2)", "chosen - full", "95 % interval", "p", "better/worse"],
      ["contains", "10.0", "42.5", "40.0", "-2.5", "-10.0 to +5.0", "0.750", "1/2"],
      ["EM", "10.0", "42.5", "40.0", "-2.5", "-10.0 to +5.0", "0.750", "1/2"],
    ]);
  });

  it("draws the primary metric, and ends with the verdict and the notes", async () => {
    const report = await reportWith(false);
    expect(report).toContain("contains against K (selection)");
    expect(report).toContain("46.0 ┤");
    expect(report.split("\n").slice(-3)).toEqual(["Keep the adapter in layers 0 to 1.", "It is so.", "Note: A note."]);
  });

  it("gives the p value of the randomisation where samples are not right or wrong alone", async () => {
    const result = sweepResult();
    const comparisons = result.confirmation.comparisons.map((comparison) => ({
      ...comparison,
      chosenMinusFull: { ...comparison.chosenMinusFull, p: { bootstrap: 0.5, randomization: 0.625 } },
    }));
    const report = await reportWith(false, { ...result, confirmation: { ...result.confirmation, comparisons } });
    expect(report).toMatch(/^EM .* -10\.0 to \+5\.0 +0\.625 +1\/2$/m);
  });

  it("breaks base, full and chosen down by group: on the holdout where there is one", async () => {
    const result = sweepResult();
    const grouped = (value: number) => ({
      bridge: { em: { value: 1, n: 15 }, contains: { value, n: 15 } },
      "(none)": { em: { value: 1, n: 5 }, contains: { value: value + 1, n: 5 } },
    });
    const candidates = result.candidates.map((candidate, i) => {
      const { selection } = candidate;
      if (!selection) throw new Error("a candidate has a selection");
      return {
        ...candidate,
        selection: { ...selection, groups: grouped(30 + 10 * i) },
        holdout: { ...selection, groups: grouped(60 + 10 * i) },
      };
    });
    const words = (report: string): string[][] => report.split("\n").map((line) => line.trim().split(/ {2,}/));
    const onHoldout = words(await reportWith(false, { ...result, candidates }));
    const title = onHoldout.findIndex(([first]) => first === "contains by group (holdout)");
    expect(onHoldout.slice(title + 1, title + 4)).toEqual([
      ["group", "n", "K=0 base", "K=2 *", "K=4 (= 5-6) full"],
      ["bridge", "15", "60.0", "70.0", "80.0"],
      ["(none)", "5", "61.0", "71.0", "81.0"],
    ]);
    const without = { ...result, candidates, data: { ...result.data, holdout: [] } };
    const inSample = words(await reportWith(false, without));
    const other = inSample.findIndex(([first]) => first === "contains by group (selection)");
    expect(inSample[other + 2]).toEqual(["bridge", "15", "30.0", "40.0", "50.0"]);
    expect(await reportWith(false)).not.toContain("by group");
  });

  it("names what each fold chose", async () => {
    const result = sweepResult();
    const folds = { ...result.confirmation, part: "folds" as const, foldBoundaries: [2, 2, 4] };
    expect(await reportWith(false, { ...result, confirmation: folds })).toContain(
      "Cross-validation: 20 samples, each by the choice of the other folds (K=2, 2, 4)",
    );
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
