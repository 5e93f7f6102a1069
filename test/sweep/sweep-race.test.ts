import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import { sweepReport } from "../../src/report/terminal.js";
import { reportMarkdown } from "../../src/report/markdown.js";
import { loadReport } from "../../src/report/report-input.js";
import { writeReport } from "../../src/report/html/write-report.js";
import { rescore } from "../../src/sweep/rescore.js";
import type { SweepResult } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { answersAsked } from "../support/answers-asked.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { outputsOf, tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let fixture: SweepFixture;
let whole: SweepResult;

const run = (name: string, more: Readonly<Record<string, unknown>>): Promise<SweepResult> =>
  sweep(tinySweep(fixture, at(name), more));
const without = (result: SweepResult, ...names: (keyof SweepResult)[]): object =>
  Object.fromEntries(Object.entries(result).filter(([name]) => !names.includes(name as keyof SweepResult)));
const scoredIn = ({ candidates }: SweepResult): number[] =>
  candidates.filter(({ selection }) => selection).map(({ boundary }) => boundary);

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path, { samples: 64 });
  whole = await run("whole", {});
}, ENGINE_START_MS);

describe("a sweep with --race", () => {
  it("chooses and confirms as the full sweep does, with fewer answers, and says what it left out", async () => {
    const before = answersAsked();
    const raced = await run("raced", { race: true });
    expect(raced.choice.boundary).toBe(whole.choice.boundary);
    expect(raced.confirmation).toEqual(whole.confirmation);
    const { race, timings } = raced;
    expect(timings.answersGenerated).toBeLessThan(whole.timings.answersGenerated);
    expect(answersAsked() - before).toBeLessThan(whole.timings.answersGenerated + 40);
    expect(race?.answers).toBeLessThan(race?.allAnswers ?? 0);
    expect(race?.blocks.reduce((sum, size) => sum + size, 0)).toBe(raced.data.selection.length);
    expect(race?.dropped.map(({ reason }) => reason)).toContain("below");
    // No partial score: a candidate has that of the full sweep or none, and no outputs.
    const left = scoredIn(raced);
    expect(left).not.toEqual(scoredIn(whole));
    expect(raced.candidates.map(({ boundary }) => boundary)).toEqual([0, 1, 2, 3, 4]);
    const asked = (await outputsOf(at("raced"))).filter(({ part }) => part === "selection");
    expect([...new Set(asked.map(({ boundary }) => boundary))]).toEqual(left);
    for (const boundary of left) {
      const [ours, theirs] = [raced, whole].map((one) => one.candidates.find((entry) => entry.boundary === boundary));
      expect(Object.keys(ours?.selection?.scores ?? {})).toEqual(Object.keys(theirs?.selection?.scores ?? {}));
      expect(ours?.selection?.scores["contains-plain"]?.value).toBe(theirs?.selection?.scores["contains-plain"]?.value);
    }
    expect(raced.notes.some((note) => note.includes("dropped by the race"))).toBe(true);
    expect(raced.command).toContain(" --race ");
  });

  it("ends as before when it is run again, and the same command without --race reuses every answer", async () => {
    const first = await run("again", { race: true, rule: "best" });
    const second = await run("again", { race: true, rule: "best" });
    expect(without(second, "timings")).toEqual(without(first, "timings"));
    expect(second.timings.answersGenerated).toBe(0);
    const rest = await run("again", { rule: "best" });
    const fresh = await run("again-fresh", { rule: "best" });
    expect(without(rest, "timings")).toEqual(without(fresh, "timings"));
    expect(rest.timings.answersReused).toBeGreaterThanOrEqual(first.timings.answersGenerated);
    expect(rest.timings.answersGenerated + rest.timings.answersReused).toBe(fresh.timings.answersGenerated);
  });

  it("is scored again and reported like any run, from the boundaries that are left", async () => {
    const raced = await run("raced", { race: true });
    expect(await rescore(at("raced"), {})).toEqual(raced);
    const other = await rescore(at("raced"), { rule: "best" });
    expect(scoredIn(raced)).toContain(other.choice.boundary);
    expect(other.notes.at(-1)).toContain("K is chosen among those that answered every sample");
    const page = await readFile(await writeReport(at("raced")), "utf8");
    const texts = [sweepReport(raced), reportMarkdown(await loadReport(at("raced"))), page];
    for (const text of texts) {
      expect(text).toContain("cannot be reached");
      expect(text).not.toContain("every boundary");
    }
  });

  it("is refused where its samples also judge the choice", async () => {
    for (const settings of [{ folds: 3 }, { holdout: 0 }]) {
      const error = await failureOf(UsageError, () => run("refused", { race: true, ...settings }));
      expect(error.message).toContain("--race");
    }
  });

  it("stops at Ctrl-C and goes on from there", async () => {
    const controller = new AbortController();
    const config = tinySweep(fixture, at("stopped"), { race: true });
    const onProgress = ({ done }: { done: number }): void => {
      if (done >= 9) controller.abort();
    };
    await expect(sweep(config, { onProgress, signal: controller.signal })).rejects.toThrow(/stopped/);
    const result = await sweep(config);
    expect(result.timings.answersReused).toBeGreaterThan(0);
    expect(result.choice.boundary).toBe(whole.choice.boundary);
  });
});

describe("a sweep with --screen nll", () => {
  it("weighs each reference once, whatever is run again, and says what it found", async () => {
    const screened = await run("screened", { screen: "nll" });
    const { screen } = screened;
    expect(screen?.candidates.map(({ boundary }) => boundary)).toEqual([0, 1, 2, 3, 4]);
    expect(screen?.samples).toBe(screened.data.selection.length);
    for (const { probability, atMost, passed } of screen?.candidates ?? []) {
      expect(probability).toBeGreaterThan(0);
      expect(probability).toBeLessThan(1);
      expect(passed || atMost < 0.5).toBe(true);
    }
    const rows = (await readFile(join(at("screened"), "likelihoods.jsonl"), "utf8")).split("\n").filter(Boolean);
    expect(rows).toHaveLength(5 * screened.data.selection.length);
    expect(without(await run("screened", { screen: "nll" }), "timings")).toEqual(without(screened, "timings"));
    const again = (await readFile(join(at("screened"), "likelihoods.jsonl"), "utf8")).split("\n").filter(Boolean);
    expect(again).toEqual(rows);
  });
});
