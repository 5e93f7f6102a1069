import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors.js";
import type { SweepResult } from "../../src/run/result.js";
import { assignFolds } from "../../src/choice/cross-validate.js";
import { sweep } from "../../src/sweep/sweep.js";
import { failureOf } from "../support/failure.js";
import { answersAsked } from "../support/answers-asked.js";
import { writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { fixtureRow, meanOf, outputsOf, rowsOf, tinySweep, valuesOf } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
let fixture: SweepFixture;
beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
});

const at = (name: string): string => join(folder.path, name);
const run = (name: string, more: Readonly<Record<string, unknown>>): Promise<SweepResult> =>
  sweep(tinySweep(fixture, at(name), more));
const near = (value: number): number => expect.closeTo(value, 9) as number;

/** The means of each boundary on the selection, from the run's outputs. */
async function selectionMeans(name: string, metric: string): Promise<Map<number, number>> {
  const values = valuesOf(await outputsOf(at(name)), "selection", metric);
  return new Map([...values].map(([boundary, own]) => [boundary, meanOf(own.values())]));
}

describe("the default rule", () => {
  it("keeps everything where so few samples cannot show that less is no worse", async () => {
    const { choice, verdict } = await run("default", {});
    const means = await selectionMeans("default", "contains-plain");
    expect(choice).toMatchObject({ rule: "no-worse", margin: 2, boundary: 4, layers: 4, floors: [], excluded: [] });
    const best = Math.max(...means.values());
    expect(choice.bestBoundary).toBe([...means].find(([, mean]) => mean === best)?.[0]);
    expect(choice.steps).toHaveLength(1);
    expect(choice.steps[0]).toMatchObject({ boundary: 3, against: 4, limit: -2, passed: false });
    expect(verdict.sentences[0]).toBe("No smaller boundary is shown to be as good: keep everything (K=4).");
    expect(verdict.sentences[1]).toBe(choice.reasons[0]);
  });

  it("goes down from the full adapter, which is answered also where it was not asked for", async () => {
    const { choice, candidates, confirmation } = await run("descent", { boundaries: "1-3", margin: 100 });
    const means = await selectionMeans("descent", "contains-plain");
    expect([...means.keys()]).toEqual([1, 2, 3, 4]);
    expect(choice.steps.map(({ boundary }) => boundary)).toEqual([3, 2, 1]);
    for (const { boundary, against, score, difference, low, limit, passed } of choice.steps) {
      expect([score, difference]).toEqual([
        near(means.get(boundary) ?? NaN),
        near((means.get(boundary) ?? NaN) - (means.get(4) ?? NaN)),
      ]);
      expect([against, limit, passed]).toEqual([4, -100, low > -100]);
    }
    expect(choice.boundary).toBe(1);
    expect(candidates.filter(({ holdout }) => holdout).map(({ boundary }) => boundary)).toEqual([0, 1, 4]);
    expect(confirmation.part).toBe("holdout");
  });
});

describe("--rule paper", () => {
  it("tries 15 of 32 layers, scaled, beside base and full, and takes it whatever the scores", async () => {
    const { candidates, choice, trimmed } = await run("paper", { rule: "paper" });
    expect(candidates.map(({ boundary }) => boundary)).toEqual([0, 2, 4]);
    expect(choice).toMatchObject({ rule: "paper", boundary: 2, steps: [] });
    expect(choice).not.toHaveProperty("margin");
    expect(choice.reasons[0]).toContain("without a look at the scores");
    expect(trimmed?.file).toBe("trimmed.gguf");
  });

  it("takes the nearest of the boundaries that were asked for", async () => {
    const { candidates, choice } = await run("paper-near", { rule: "paper", boundaries: "0,3,full" });
    expect(candidates.map(({ boundary }) => boundary)).toEqual([0, 3, 4]);
    expect(choice.boundary).toBe(3);
  });

  it("leaves a Modelfile that names the model from its own folder", async () => {
    const lines = (await readFile(join(at("paper"), "Modelfile"), "utf8")).split("\n");
    expect(lines).toEqual(["FROM ../base.gguf", "ADAPTER ./trimmed.gguf", ""]);
  });
});

describe("--floor", () => {
  it("excludes what falls too far below the full adapter in the other metric", async () => {
    // Primary and floor are chosen the way round in which this model's candidates are excluded.
    const settings = { rule: "best", metric: "contains", floor: "contains-plain=-10", holdout: 0 };
    const { choice } = await run("floor", settings);
    const [primary, other] = [
      await selectionMeans("floor", "contains"),
      await selectionMeans("floor", "contains-plain"),
    ];
    const full = other.get(4) ?? NaN;
    const excluded = [...other].filter(([, mean]) => mean - full < -10);
    expect(excluded.length).toBeGreaterThan(0);
    expect(choice.excluded).toEqual(
      excluded.map(([boundary, mean]) => {
        return { boundary, metric: "contains-plain", difference: near(mean - full), floor: -10 };
      }),
    );
    expect(choice.floors).toEqual([{ metric: "contains-plain", points: -10 }]);
    const eligible = [...primary].filter(([boundary]) => !excluded.some(([one]) => one === boundary));
    const best = Math.max(...eligible.map(([, mean]) => mean));
    expect(choice.boundary).toBe(eligible.find(([, mean]) => mean === best)?.[0]);
    expect(choice.reasons.at(-1)).toMatch(/^Not eligible, as contains-plain must be at least -10\.0 points/);
  });

  it("adds its metric to those of the table", async () => {
    const { labels, metric } = await run("floor", {
      rule: "best",
      metric: "contains",
      metrics: "em",
      floor: "contains-plain=-10",
      holdout: 0,
    });
    expect(labels).toEqual({ em: "EM", contains: "contains", "contains-plain": "contains (plain)" });
    expect(metric).toBe("contains");
  });
});

describe("--folds", () => {
  it("lets every sample choose for the others, and pools what the folds answer", async () => {
    const result = await run("folds", { folds: 3, rule: "best" });
    const { confirmation, data, choice } = result;
    expect([data.selection.length, data.holdout]).toEqual([12, []]);
    expect(confirmation).toMatchObject({ part: "folds", samples: 12 });
    expect(confirmation).not.toHaveProperty("corrected");
    const values = valuesOf(await outputsOf(at("folds")), "selection", "contains-plain");
    const prompts = await rowsOf<{ id: string; prompt: string }>(join(at("folds"), "samples.jsonl"));
    const foldOf = assignFolds(12, { folds: 3, seed: 0, clusters: prompts.map(({ prompt }) => prompt) });
    // Each fold: the best on the others, the smallest K of equal ones.
    const chosen = [0, 1, 2].map((fold) => {
      const means = [...values].map(([boundary, own]) => {
        const others = data.selection.filter((_, i) => foldOf[i] !== fold).map((id) => own.get(id) ?? NaN);
        return { boundary, mean: meanOf(others) };
      });
      const best = Math.max(...means.map(({ mean }) => mean));
      return means.find(({ mean }) => mean > best - 1e-9)?.boundary ?? -1;
    });
    expect(confirmation.foldBoundaries).toEqual(chosen);
    const pooled = data.selection.map((id, i) => values.get(chosen[foldOf[i] ?? 0] ?? 0)?.get(id) ?? NaN);
    const primary = confirmation.comparisons.find(({ metric }) => metric === "contains-plain");
    expect(primary?.chosen).toBeCloseTo(meanOf(pooled), 9);
    expect(primary?.full).toBeCloseTo(meanOf(values.get(4)?.values() ?? []), 9);
    // What is kept is the choice on all samples, which folds alone did not make.
    const means = [...values].map(([boundary, own]) => ({ boundary, mean: meanOf(own.values()) }));
    const best = Math.max(...means.map(({ mean }) => mean));
    expect(choice.boundary).toBe(means.find(({ mean }) => mean > best - 1e-9)?.boundary);
  });

  it("say nothing of scores that flatter: what they tell is not in-sample", async () => {
    const { notes, verdict } = await run("folds", { folds: 3, rule: "best" });
    expect(notes.join("\n")).not.toContain("There is no holdout");
    expect(verdict.sentences.join("\n")).toContain("By cross-validation over 12 samples");
  });

  it("and a file for the holdout exclude each other", async () => {
    const error = await failureOf(UsageError, () => run("folds-holdout", { folds: 3, holdout: fixture.data }));
    expect(error.message).toContain("--folds and a file for --holdout exclude each other");
  });

  it("are no more than there are samples", async () => {
    const error = await failureOf(UsageError, () => run("folds-many", { folds: 13, rule: "best" }));
    expect(error.message).toContain("the number of folds is wrong: found 13, expected a whole number from 2 to 12");
  });
});

describe("--group-by", () => {
  it("breaks every score of every candidate down, part by part", async () => {
    const result = await run("groups", { groupBy: "kind", rule: "best" });
    const outputs = await outputsOf(at("groups"));
    for (const part of ["selection", "holdout"] as const) {
      const values = valuesOf(outputs, part, "contains-plain");
      for (const [boundary, own] of values) {
        const groups = result.candidates.find((one) => one.boundary === boundary)?.[part]?.groups ?? {};
        expect(Object.keys(groups)).toEqual(["other", "third"]);
        for (const [group, scores] of Object.entries(groups)) {
          const members = [...own].filter(([id]) => fixtureRow(id).kind === group).map(([, value]) => value);
          expect(scores["contains-plain"]).toEqual({ value: near(meanOf(members)), n: members.length });
        }
      }
    }
  });

  it("takes lengths of a field, and asks for none of the answers again", async () => {
    const before = answersAsked();
    const result = await run("groups", { groupBy: "length:question:2", rule: "best" });
    expect(answersAsked()).toBe(before);
    const groups = Object.keys(result.candidates[0]?.selection?.groups ?? {});
    expect(groups.length).toBeGreaterThan(1);
    expect(groups.every((group) => /^\d+-\d+$/.test(group))).toBe(true);
    expect(result.config["group-by"]).toBe("length:question:2");
  });

  it("of a field that no sample has is refused with the nearest name, before anything is generated", async () => {
    const before = answersAsked();
    const error = await failureOf(UsageError, () => run("groups-unknown", { groupBy: "kin", rule: "best" }));
    expect(error.message).toMatch(/no sample has the field to group by: found "kin".*Did you mean kind\?/);
    expect(answersAsked()).toBe(before);
  });
});

describe("without a holdout", () => {
  it("a choice is corrected against the full adapter, asked for or not", async () => {
    const { confirmation, metric } = await run("in-sample", { rule: "best", boundaries: "1-3", holdout: 0 });
    const main = confirmation.comparisons.find((comparison) => comparison.metric === metric);
    const { difference, optimism } = confirmation.corrected ?? { difference: NaN, optimism: NaN };
    expect(difference + optimism).toBeCloseTo(main?.chosenMinusFull.difference ?? NaN, 9);
  });
});

describe("progress", () => {
  it.each([
    ["with a holdout", { boundaries: "1-3", margin: 100 }, 4 * 7 + 3 * 5],
    ["without one", { boundaries: "1-3", rule: "best", holdout: 0 }, 5 * 12],
    ["over boundaries that are one candidate", { boundaries: "0,full", rule: "best", folds: 3 }, 2 * 12],
  ])("counts every answer, and never beyond the total: %s", async (name, settings, answers) => {
    const seen: [done: number, total: number][] = [];
    await sweep(tinySweep(fixture, at(`progress ${name}`), settings), {
      onProgress: ({ done, total }) => void seen.push([done, total]),
    });
    expect(seen.map(([done]) => done)).toEqual(Array.from({ length: answers }, (_, i) => i + 1));
    expect(new Set(seen.map(([, total]) => total))).toEqual(new Set([answers]));
  });
});

it("a run keeps its samples as they were asked, so that nothing else is needed to look at it", async () => {
  interface Kept {
    part: string;
    id: string;
    variables: Record<string, unknown>;
    references: string[];
    prompt: string;
  }
  const { data } = await run("groups", { groupBy: "kind", rule: "best" });
  const samples = await rowsOf<Kept>(join(at("groups"), "samples.jsonl"));
  expect(samples.map(({ part, id }) => [part, id])).toEqual([
    ...data.selection.map((id) => ["selection", id]),
    ...data.holdout.map((id) => ["holdout", id]),
  ]);
  for (const { id, variables, references, prompt } of samples) {
    const row = fixtureRow(id);
    expect(references).toEqual(row.answers);
    expect(variables).toEqual({ ...row, answers: undefined, id: undefined });
    expect(prompt).toMatch(/^<\|im_start\|>user\n[\s\S]*<\|im_end\|>\n<\|im_start\|>assistant\n$/);
    expect(prompt).toContain(String(variables["question"]));
  }
});
