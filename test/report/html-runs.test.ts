import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runsPage } from "../../src/report/html/runs-page.js";
import { writeRunsReport } from "../../src/report/html/write-report.js";
import { goodRangeSentences } from "../../src/report/run-comparison-words.js";
import { commonPlaces, compareRuns, type RelativePoint, type RunCurve } from "../../src/report/run-curves.js";
import { sweepResult } from "../support/sweep-result.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun } from "./finished-run.js";
import { tableOf, tagsOf, textOf } from "./tags.js";

const folder = temporaryFolder();

/** A curve of a model with so many layers: differences by boundary, each with an interval of 1 point to either side. */
function curve(name: string, layers: number, differences: Readonly<Record<number, number>>): RunCurve {
  const result = sweepResult();
  const points = Object.entries(differences).map(([boundary, difference]): RelativePoint => {
    const isFull = Number(boundary) === layers;
    const [low, high] = isFull ? [0, 0] : [difference - 1, difference + 1];
    return { boundary: Number(boundary), difference, low, high };
  });
  return { name, result: { ...result, choice: { ...result.choice, layers } }, points };
}

const answering = curve("qa", 6, { 0: -40, 1: -20, 2: -5, 3: -1.5, 4: 1, 5: 0.5, 6: 0 });
const summing = curve("summary", 6, { 0: -10, 1: -1, 2: -1.5, 3: -0.5, 4: 0.2, 5: -3, 6: 0 });

describe("the boundaries that are good for all runs", () => {
  it("are those at which no run loses more than the margin", () => {
    const comparison = commonPlaces([answering, summing], 2);
    expect(comparison.axis).toBe("boundary");
    expect(comparison.places.filter(({ isGood }) => isGood).map(({ x }) => x)).toEqual([3, 4, 6]);
    expect(comparison.good).toEqual([
      { from: 3, to: 4 },
      { from: 6, to: 6 },
    ]);
    expect(goodRangeSentences(comparison)[0]).toBe(
      "K=3 to 4 and K=6 keep both runs within 2 points of their own full adapter; the smallest such boundary is K=3.",
    );
  });

  it("may lose the whole margin, not more", () => {
    const good = (margin: number): number[] =>
      commonPlaces([answering, summing], margin)
        .places.filter(({ isGood }) => isGood)
        .map(({ x }) => x);
    expect(good(1.5)).toEqual([3, 4, 6]);
    expect(good(1.49)).toEqual([4, 6]);
  });

  it("count as shown where every run's interval ends above the margin", () => {
    const comparison = commonPlaces([answering, summing], 2);
    expect(comparison.places.filter(({ isShown }) => isShown).map(({ x }) => x)).toEqual([4, 6]);
    expect(goodRangeSentences(comparison)[1]).toBe("Shown for every run, by paired 95 % intervals: K=4, K=6.");
    expect(goodRangeSentences(commonPlaces([answering, summing], 0.5))).toEqual([
      "K=4 and K=6 keep both runs within 0.5 points of their own full adapter; the smallest such boundary is K=4.",
      "No boundary below the full adapter is shown, by paired 95 % intervals, to lose less than 0.5 points in every run.",
    ]);
  });

  it("are only the full adapter where nothing else is", () => {
    const poor = curve("poor", 6, { 0: -9, 3: -9, 6: 0 });
    expect(goodRangeSentences(commonPlaces([answering, summing, poor], 2))[0]).toBe(
      "Only the full adapter keeps all 3 runs within 2 points of it.",
    );
  });

  it("lie on the line between neighbours where a run did not try them, which is said, and is never shown", () => {
    const sparse = curve("sparse", 6, { 0: -12, 4: 0, 6: 0 });
    const comparison = commonPlaces([answering, sparse], 4);
    const [, , , third, fourth] = comparison.places;
    expect(third?.values[1]).toEqual({ difference: -3, isBetween: true });
    expect([third?.isGood, third?.isShown, fourth?.isShown]).toEqual([true, false, true]);
    expect(goodRangeSentences(comparison).at(-1)).toContain("straight line between its neighbours");
  });

  it("leave out what lies outside of the boundaries that a run tried", () => {
    const comparison = commonPlaces([answering, curve("upper", 6, { 4: 0, 6: 0 })], 2);
    expect(comparison.places.map(({ values }) => values[1] === undefined)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(comparison.good).toEqual([{ from: 4, to: 6 }]);
  });

  it("are shares of the layers where models differ in depth", () => {
    const deep = curve("deep", 12, { 0: -30, 6: -3, 9: 0, 12: 0 });
    const comparison = commonPlaces([answering, deep], 2);
    expect(comparison.axis).toBe("percent");
    expect(comparison.places.map(({ x }) => Math.round(x))).toEqual([0, 17, 33, 50, 67, 75, 83, 100]);
    expect(goodRangeSentences(comparison)[0]).toBe(
      "66.7 to 100 % of the layers keep both runs within 2 points of their own full adapter; the smallest such boundary is 66.7 %.",
    );
  });
});

describe("the page of several runs", () => {
  it("has each run's differences with paired intervals against its own full adapter", async () => {
    const paths = ["first", "second"].map((name) => join(folder.path, name));
    const [result] = await Promise.all([
      writeFinishedRun(paths[0]!),
      writeFinishedRun(paths[1]!, { boundaries: [0, 3, 6] }),
    ]);
    const comparison = await compareRuns(paths, 2);
    const scoreAt = (boundary: number): number =>
      result.candidates.find((one) => one.boundary === boundary)!.selection!.scores["contains"]!.value;
    expect(comparison.curves[0]?.points.map(({ boundary, difference }) => [boundary, difference])).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((boundary) => [boundary, scoreAt(boundary) - scoreAt(6)]),
    );
    const page = runsPage(comparison);
    const rows = tableOf(page, "Points against the full adapter, with paired 95 % intervals");
    expect(rows?.map((row) => [row[0], row.at(-1)])).toEqual([
      ["K", "good for all"],
      ["K=0", "no"],
      ["K=1", "no"],
      ["K=2", "no"],
      ["K=3", "yes"],
      ["K=4", "yes"],
      ["K=5", "yes"],
      ["K=6", "yes, shown"],
    ]);
    const third = comparison.curves[0]!.points[3]!;
    expect(rows?.[4]?.[1]).toBe(`+8.3 ${third.low!.toFixed(1)} to +${third.high!.toFixed(1)}`);
    expect(rows?.[2]?.[2]).toMatch(/^-58\.3 ✗ between$/);
    expect(rows?.[7]?.[1]).toBe("0.0");
    expect(textOf(page)).toContain(`second ${result.verdict.sentences[0] ?? ""}`);
    expect(page).toMatch(/stroke="var\(--curve-1\)"[\s\S]*stroke="var\(--curve-2\)"/);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    const ids = tagsOf(page).flatMap(({ attributes }) => attributes.get("id") ?? []);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("tells runs of the same name apart, and writes nothing but the page", async () => {
    const path = join(folder.path, "same");
    await writeFinishedRun(path);
    const before = await readdir(path);
    const page = join(folder.path, "runs.html");
    await writeRunsReport([path, path], page, 2);
    const written = await readFile(page, "utf8");
    expect(textOf(written)).toContain("Boundary report: same, same-2");
    expect(await readdir(path)).toEqual(before);
    expect(written).not.toContain(folder.path);
  });

  it("does without intervals where the journal is gone", async () => {
    const path = join(folder.path, "gone");
    await writeFinishedRun(path);
    await rm(join(path, "journal.jsonl"));
    const { curves } = await compareRuns([path], 2);
    expect(curves[0]?.points.map(({ low }) => low)).toEqual([...Array.from({ length: 6 }, () => undefined), 0]);
  });

  it("draws many runs without two of them looking alike", () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ ...answering, name: `run ${i}` }));
    const page = runsPage(commonPlaces(many, 2));
    const keys = [...page.matchAll(/<span class="key">([\s\S]*?)<\/svg>/g)].map(([, key]) => key);
    expect(keys).toHaveLength(20);
    expect(new Set(keys).size).toBe(20);
  });
});
