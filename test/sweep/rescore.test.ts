import { appendFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { FileError, FormatError, RunFolderError, UsageError } from "../../src/errors.js";
import { loadRun } from "../../src/run/load-run.js";
import { rescore } from "../../src/sweep/rescore.js";
import type { SweepResult } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { answersAsked } from "../support/answers-asked.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { meanOf, outputsOf, tinySweep, valuesOf } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let fixture: SweepFixture;
let confirmed: SweepResult;
let inSample: SweepResult;

const run = (name: string, more: Readonly<Record<string, unknown>>): Promise<SweepResult> =>
  sweep(tinySweep(fixture, at(name), more));

beforeAll(async () => {
  await mkdir(at("inputs"));
  fixture = await writeSweepFixture(at("inputs"));
  confirmed = await run("confirmed", { rule: "best" });
  inSample = await run("in-sample", { rule: "best", holdout: 0 });
}, ENGINE_START_MS);

/** A copy of a run to be damaged. */
async function copyOf(name: string, to: string): Promise<string> {
  await cp(at(name), at(to), { recursive: true });
  return at(to);
}

/** What scoring alone decides of a result. */
function decided({ metric, labels, candidates, choice, confirmation, verdict }: SweepResult): object {
  return { metric, labels, candidates, choice, confirmation, verdict };
}

describe("scoring a finished run again", () => {
  it("gives the run's own result when nothing is changed, whatever its settings", async () => {
    expect(await rescore(at("confirmed"), {})).toEqual(confirmed);
    expect(await rescore(at("in-sample"), {})).toEqual(inSample);
  });

  it.each([
    ["folds", { rule: "best", folds: 3 }],
    ["no-worse", { margin: 60, holdout: 0, boundaries: "1-3" }],
    ["paper", { rule: "paper", groupBy: "kind" }],
    ["floors", { rule: "one-se", metrics: "f1,em", floor: "contains=-5", extract: "[a-z]+", holdout: 0 }],
    ["some boundaries", { rule: "best", boundaries: "1-3", holdout: 0 }],
  ])("gives the run's own result: %s", async (name, settings) => {
    const result = await run(name, settings);
    expect(await rescore(at(name), {})).toEqual(result);
  });

  it.each([
    ["another metric", { metric: "f1" }],
    ["other metrics", { metrics: "chrf,em,rouge1:stemmer=yes" }],
    ["another rule", { rule: "no-worse", margin: 60 }],
    ["a floor", { rule: "one-se", floor: "contains=-5" }],
    ["groups", { groupBy: "kind" }],
    ["an extraction", { extract: "[a-z]" }],
  ])("under %s decides what the sweep itself would have decided", async (name, settings) => {
    const rescored = await rescore(at("in-sample"), settings);
    expect(decided(rescored)).not.toEqual(decided(inSample));
    await copyOf("in-sample", name);
    const again = await run(name, { rule: "best", holdout: 0, ...settings });
    expect(again.timings.answersGenerated).toBe(0);
    expect(decided(rescored)).toEqual(decided(again));
  });

  it("tells the settings that it was scored with, and the command that would come to the same", async () => {
    const { config, command } = await rescore(at("confirmed"), { rule: "one-se", metric: "f1", groupBy: "kind" });
    expect(config).toEqual({ ...confirmed.config, rule: "one-se", metric: "f1", "group-by": "kind" });
    expect(command).toContain("--group-by kind");
    expect(command).toContain("--metric f1");
    expect(command).toContain("--rule one-se");
  });

  it("scores the answers that are in the folder", async () => {
    const { candidates, labels } = await rescore(at("confirmed"), { metrics: "contains" });
    expect(labels).toEqual({ contains: "contains", "contains-plain": "contains (plain)" });
    const outputs = await outputsOf(at("confirmed"));
    for (const part of ["selection", "holdout"] as const) {
      for (const [boundary, own] of valuesOf(outputs, part, "contains")) {
        const scores = candidates.find((one) => one.boundary === boundary)?.[part]?.scores;
        expect(scores?.["contains"]?.value).toBeCloseTo(meanOf(own.values()), 9);
      }
    }
  });

  it("judges a K that the holdout has not seen in-sample, and says how to have it confirmed", async () => {
    const result = await rescore(at("confirmed"), { rule: "paper", metric: "contains" });
    expect([confirmed.choice.boundary, result.choice.boundary]).toEqual([0, 2]);
    expect(result.confirmation).toMatchObject({ part: "selection", samples: 7 });
    expect(result.verdict.sentences.join("\n")).toContain("In-sample");
    expect(result.notes).toEqual([
      ...confirmed.notes,
      "K=2 has not answered the holdout: the same sweep with --rule paper and --metric contains would have it confirmed.",
    ]);
    expect(result.trimmed).toBeNull();
    // The candidates keep what they answered.
    expect(result.candidates.filter(({ holdout }) => holdout).map(({ boundary }) => boundary)).toEqual([0, 4]);
    // Another rule that comes to the run's own K has its holdout.
    const same = await rescore(at("confirmed"), { rule: "no-worse" });
    expect([same.choice.boundary, same.confirmation.part, same.notes]).toEqual([4, "holdout", confirmed.notes]);
  });

  it("needs the folder alone and changes nothing in it: model, adapter and data may be gone", async () => {
    await mkdir(at("gone"));
    const own = await writeSweepFixture(at("gone"));
    const out = at("left");
    const result = await sweep(tinySweep(own, out, { rule: "best" }));
    await rm(at("gone"), { recursive: true });
    const contents = async (): Promise<string[]> =>
      Promise.all((await readdir(out)).sort().map((name) => readFile(join(out, name), "latin1")));
    const [before, asked] = [await contents(), answersAsked()];
    expect(await rescore(out, {})).toEqual(result);
    expect((await rescore(out, { metric: "f1", groupBy: "kind" })).metric).toBe("f1");
    expect(answersAsked()).toBe(asked);
    expect(await contents()).toEqual(before);
  });

  it("refuses settings that cannot be, with the nearest name", async () => {
    const metric = await failureOf(UsageError, () => rescore(at("confirmed"), { metric: "contians" }));
    expect(metric.message).toContain("Did you mean contains?");
    const rule = await failureOf(UsageError, () => rescore(at("confirmed"), { rule: "luck" }));
    expect(rule.message).toMatch(
      /unknown rule: found "luck", expected one of best, one-se, no-worse, paper\. Did you mean/,
    );
    const field = await failureOf(UsageError, () => rescore(at("confirmed"), { groupBy: "knd" }));
    expect(field.message).toContain("Did you mean kind?");
  });

  it("cannot measure by the full adapter where that did not answer the selection", async () => {
    const { candidates } = await run("no-full", { rule: "best", boundaries: "1,2" });
    expect(candidates.find(({ boundary }) => boundary === 4)).not.toHaveProperty("selection");
    for (const settings of [{ rule: "no-worse" }, { floor: "f1=-1" }]) {
      const error = await failureOf(UsageError, () => rescore(at("no-full"), settings));
      expect(error.message).toContain("has no answers of the full adapter to its selection");
      expect(error.message).toContain("--rule best or one-se, without --floor");
    }
    expect((await rescore(at("no-full"), { rule: "one-se" })).choice.rule).toBe("one-se");
  });
});

describe("a folder that holds no finished run", () => {
  it("is told from one that does", async () => {
    for (const path of [at("nowhere"), at("inputs")]) {
      const error = await failureOf(RunFolderError, () => rescore(path, {}));
      expect(error.message).toContain(`${path} holds no finished run: found no result.json`);
      expect(error.exitCode).toBe(2);
    }
  });

  it.each([
    ["cut off", (text: string) => text.slice(0, 200)],
    ["of another version", (text: string) => text.replace('"schemaVersion": 2', '"schemaVersion": 1')],
    ["of another tool", (text: string) => text.replace('"name": "boundary"', '"name": "other"')],
  ])("with a result.json %s says so", async (name, damage) => {
    const path = await copyOf("confirmed", `result ${name}`);
    const text = await readFile(join(path, "result.json"), "utf8");
    expect(damage(text)).not.toBe(text);
    await writeFile(join(path, "result.json"), damage(text));
    const error = await failureOf(RunFolderError, () => rescore(path, {}));
    expect(error.message).toBe(
      `${path}/result.json was not written by this version of boundary, or is damaged. ` +
        "Run the same sweep command again: kept answers are not generated twice.",
    );
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.each([
    ["no JSON", "{"],
    ["no sample", "{}"],
    ["a sample of no part", '{"part":"test","id":"x","variables":{},"references":["a"],"prompt":""}'],
    ["a sample without references", '{"part":"holdout","id":"x","variables":{},"references":[],"prompt":""}'],
  ])("with %s in samples.jsonl names the line", async (name, line) => {
    const path = await copyOf("confirmed", `samples ${name}`);
    await appendFile(join(path, "samples.jsonl"), `${line}\n`);
    const error = await failureOf(RunFolderError, () => rescore(path, {}));
    expect(error.message).toBe(`${path}/samples.jsonl is damaged in line 13. Run the same sweep command again.`);
  });

  it("with a file missing names it, and with answers missing says which", async () => {
    const path = await copyOf("confirmed", "missing");
    await rm(join(path, "samples.jsonl"));
    const samples = await failureOf(FileError, () => rescore(path, {}));
    expect(samples.message).toContain(`cannot read ${join(path, "samples.jsonl")}`);
    await cp(join(at("confirmed"), "samples.jsonl"), join(path, "samples.jsonl"));
    await rm(join(path, "journal.jsonl"));
    const answers = await failureOf(RunFolderError, () => rescore(path, {}));
    expect(answers.message).toContain(`${path} has no answers`);
  });

  it("with a damaged journal names the line, and heals nothing", async () => {
    const path = await copyOf("confirmed", "journal");
    await appendFile(join(path, "journal.jsonl"), "{}\n");
    const lines = (await readFile(join(path, "journal.jsonl"), "utf8")).split("\n").length - 1;
    const error = await failureOf(FormatError, () => rescore(path, {}));
    expect(error.message).toContain(`line ${lines} of the journal is damaged`);
    // A last line that a crash cut off is not part of the run; reading leaves it alone.
    const cut = await copyOf("confirmed", "cut");
    await appendFile(join(cut, "journal.jsonl"), '{"key":"x","bou');
    expect(await rescore(cut, {})).toEqual(confirmed);
    expect(await readFile(join(cut, "journal.jsonl"), "utf8")).toMatch(/\{"key":"x","bou$/);
  });
});

describe("a finished run", () => {
  it("gives samples and answers in the order in which they were asked", async () => {
    const { result, samples, answers } = await loadRun(at("confirmed"));
    expect(result).toEqual(confirmed);
    const ids = (part: string): string[] => samples.filter((one) => one.part === part).map(({ sample }) => sample.id);
    expect([ids("selection"), ids("holdout")]).toEqual([confirmed.data.selection, confirmed.data.holdout]);
    expect(samples[0]?.sample.variables).toHaveProperty("question");
    const outputs = await outputsOf(at("confirmed"));
    for (const part of ["selection", "holdout"] as const) {
      const rows = answers(4, part) ?? [];
      expect(rows.map(({ sampleId }) => sampleId)).toEqual(confirmed.data[part]);
      const own = outputs.filter((row) => row.boundary === 4 && row.part === part);
      expect(rows.map(({ output, tokens }) => [output, tokens])).toEqual(
        own.map(({ output, tokens }) => [output, tokens]),
      );
    }
  });

  it("has no answers of a boundary that did not answer all of a part", async () => {
    const { answers } = await loadRun(at("confirmed"));
    expect(answers(1, "holdout")).toBeUndefined();
    expect(answers(9, "selection")).toBeUndefined();
    const { answers: withoutHoldout } = await loadRun(at("in-sample"));
    expect(withoutHoldout(4, "holdout")).toBeUndefined();
  });
});
