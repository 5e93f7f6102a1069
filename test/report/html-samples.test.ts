import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareSamples } from "../../src/report/compared-samples.js";
import { samplesSection } from "../../src/report/html/samples-section.js";
import { loadRun } from "../../src/run/load-run.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun, type FinishedRunParts } from "./finished-run.js";
import { tagsOf, textOf } from "./tags.js";

const folder = temporaryFolder();

/** K=2 of 3 is chosen; the full adapter spoils sample 1, saves sample 2, and says sample 3 otherwise. */
function answer(boundary: number, sample: number, part: string): string {
  if (boundary === 0) return sample === 4 ? "Rome" : "Who knows";
  if (boundary === 3 && sample === 1) return "It is Paris today";
  if (boundary === 2 && sample === 2 && part === "holdout") return "It is Milan today";
  if (boundary === 3 && sample === 3) return "Rome, surely";
  return boundary === 1 ? "Paris" : "Rome";
}

async function compared(name: string, parts: FinishedRunParts = {}) {
  const path = join(folder.path, name);
  await writeFinishedRun(path, { layers: 3, counts: { selection: 6, holdout: 6 }, answer, ...parts });
  const run = await loadRun(path);
  return { run, path, samples: compareSamples(run)! };
}

describe("the samples of a run side by side", () => {
  it("are those of the holdout: losses first, then gains, then other words, then what the base answers otherwise", async () => {
    const { samples } = await compared("order");
    expect(samples.part).toBe("holdout");
    expect(samples.ends.map(({ role, boundary }) => [role, boundary])).toEqual([
      ["base", 0],
      ["full", 3],
      ["chosen", 2],
    ]);
    const rows = samples.samples.map(({ sample, change, isChanged }) => [sample.id, change, isChanged]);
    expect(rows).toEqual([
      ["holdout-2", -100, true],
      ["holdout-1", 100, true],
      ["holdout-3", 0, true],
      ["holdout-0", 0, false],
      ["holdout-5", 0, false],
      ["holdout-4", 0, false],
    ]);
    expect(samples.samples[0]?.answers.map(({ text, values }) => [text, values["contains"]])).toEqual([
      ["Who knows", 0],
      ["Rome", 100],
      ["It is Milan today", 0],
    ]);
  });

  it("are those of the selection where nothing is held out", async () => {
    const { samples } = await compared("in-sample", { counts: { selection: 6, holdout: 0 } });
    expect([samples.part, samples.samples.length]).toEqual(["selection", 6]);
  });

  it("set the base against the full adapter where that was chosen, and where the base was", async () => {
    const keep = await compared("keep", { answer: (boundary) => (boundary === 3 ? "Rome" : "Paris") });
    expect(keep.samples.ends.map(({ role }) => role)).toEqual(["base", "full, chosen"]);
    expect([keep.samples.subject, keep.samples.full]).toEqual([0, 1]);
    const base = await compared("base", { answer: (boundary) => (boundary === 0 ? "Rome" : "Paris") });
    expect(base.samples.ends.map(({ role }) => role)).toEqual(["base, chosen", "full"]);
    expect(base.samples.samples.every(({ change }) => change === 100)).toBe(true);
  });

  it("score what the settings take out of an output, and keep the whole of it", async () => {
    const thought = (boundary: number): string =>
      `<think>Rome?</think>\nThe answer is ${boundary > 1 ? "Rome" : "Paris"}.`;
    const { samples } = await compared("extract", { answer: thought, settings: { extract: "answer is (\\w+)" } });
    expect(samples.samples[0]?.answers[1]).toMatchObject({ text: "Rome", output: thought(3), values: { em: 100 } });
  });

  it("are not there where the journal is gone, and the page says so", async () => {
    const { path, run } = await compared("gone");
    await rm(join(path, "journal.jsonl"));
    expect(compareSamples(await loadRun(path))).toBeUndefined();
    expect(samplesSection(run.result, undefined).text).toContain("does not hold the answers");
  });
});

describe("the section of samples", () => {
  it("marks the words that differ between chosen and full, and nothing of the base", async () => {
    const { run, samples } = await compared("marks");
    const [first = ""] = samplesSection(run.result, samples).text.split("</article>");
    const boxes = first.split('<div class="answer">').slice(1);
    expect(boxes.map((box) => textOf(box.slice(0, box.indexOf("</div>"))))).toEqual([
      "base (K=0) contains 0, EM 0, F1 0 Who knows",
      "full (K=3) contains 100, EM 100, F1 100 Rome",
      "chosen (K=2) contains 0, EM 0, F1 0 It is Milan today",
    ]);
    expect(boxes[0]).not.toMatch(/<ins>|<del>/);
    expect(boxes[1]).toContain("<del>Rome</del>");
    expect(boxes[2]).toContain("<ins>It is Milan today</ins>");
  });

  it("says how many changed, and folds away those that did not", async () => {
    const { run, samples } = await compared("counts");
    const { text } = samplesSection(run.result, samples);
    expect(textOf(text)).toContain(
      "6 samples of the holdout: chosen (K=2) answers 3 of them in other words than full (K=3); contains fell on 1 and rose on 1.",
    );
    const [open = "", folded = ""] = text.split('<details id="same-samples">');
    expect([open, folded].map((part) => part.match(/<article /g)?.length)).toEqual([3, 3]);
    const kinds = tagsOf(text).flatMap(({ attributes }) => attributes.get("data-sample") ?? []);
    expect(kinds).toEqual(["changed worse", "changed better", "changed", "same", "same", "same"]);
  });

  it("folds long variables away and cuts endless ones, shows lists as JSON and says which answers are empty", async () => {
    const long = "word ".repeat(2000);
    const { run, samples } = await compared("long", {
      sample: () => ({ question: "Where?", context: long, list: [1, { a: 2 }] }),
      answer: (boundary) => (boundary === 0 ? "" : boundary === 1 ? "Paris" : "Rome"),
    });
    const { text } = samplesSection(run.result, samples);
    expect(text).toContain("… (10000 characters)</summary>");
    expect(text).not.toContain(long.slice(0, 4100));
    expect(textOf(text)).toContain('[1,{"a":2}]');
    expect(text).toContain("<em>(empty)</em>");
  });

  it("shows two hundred samples at most, and where the others are", async () => {
    const { run, samples } = await compared("many", { counts: { selection: 2, holdout: 230 } });
    const { text } = samplesSection(run.result, samples);
    expect(text.match(/<article /g)).toHaveLength(200);
    expect(textOf(text)).toContain("The first 200 are here; all answers are in outputs.jsonl.");
  });
});

describe("a run of which some answers are gone", () => {
  it("shows none rather than half of them", async () => {
    const { path } = await compared("half");
    const lines = (await readFile(join(path, "journal.jsonl"), "utf8")).split("\n");
    const without = (part: string) =>
      lines.findLast((line) => line.includes(`"${part}"`) && line.includes('"boundary":3'));
    const dropped = [without("selection"), without("holdout")];
    await writeFile(join(path, "journal.jsonl"), lines.filter((line) => !dropped.includes(line)).join("\n"));
    expect(compareSamples(await loadRun(path))).toBeUndefined();
  });
});
