import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../src/compare/compare.js";
import { compareConfigSchema } from "../../src/compare/config.js";
import { comparisonSchema, type ComparisonResult } from "../../src/compare/result.js";
import { AdapterError, RunFolderError, UsageError } from "../../src/errors.js";
import { resolveSettings } from "../../src/settings.js";
import { Journal, type JournalRow } from "../../src/run/journal.js";
import type { SweepResult } from "../../src/run/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { tangoWithoutLosses } from "../support/closed-forms.js";
import { failureOf } from "../support/failure.js";
import { answersAsked } from "../support/answers-asked.js";
import { ENGINE_START_MS, sampleLines, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";
import { fixtureRow, meanOf, outputsOf, tinySweep, valuesOf } from "../support/tiny-sweep.js";

const SAMPLES = 12;
const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let fixture: SweepFixture;
let swept: SweepResult;

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
  swept = await sweep(tinySweep(fixture, at("run"), { rule: "paper" }));
}, ENGINE_START_MS);

/** A comparison by the settings of its flags. */
async function compared(settings: Readonly<Record<string, unknown>>): Promise<ComparisonResult> {
  const config = resolveSettings(compareConfigSchema, "compare", [settings]);
  return compare(config);
}

/** One with the model, in the same batches as the sweep. */
async function live(
  against: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<ComparisonResult> {
  const fixed = { gpu: "off", threads: 1, maxTokens: 6, sequences: 3, metric: "contains-plain" };
  return compared({ ...fixture, ...fixed, against, ...more });
}

const named = (result: ComparisonResult, name: string): ComparisonResult["systems"][number] => {
  const found = result.systems.find((system) => system.name === name);
  if (!found) throw new Error(`no system ${name} among ${result.systems.map((system) => system.name).join(", ")}`);
  return found;
};

/** The answers of each system in the folder of a comparison: they stand one system after the other. */
async function answersIn(out: string): Promise<JournalRow[][]> {
  const rows = await Journal.read(join(out, "journal.jsonl"));
  const systems = Array.from({ length: rows.length / SAMPLES }, (_, i) => rows.slice(i * SAMPLES, (i + 1) * SAMPLES));
  // Within a wave answers end in any order.
  return systems.map((own) => own.toSorted((a, b) => Number(a.sampleId.slice(1)) - Number(b.sampleId.slice(1))));
}

describe("base, full, a boundary and the trimmed file", () => {
  let result: ComparisonResult;
  let answers: JournalRow[][];
  beforeAll(async () => {
    result = await live(["full", "base", "K=2", at("run/trimmed.gguf")], { out: at("kept"), groupBy: "kind" });
    answers = await answersIn(at("kept"));
  }, ENGINE_START_MS);

  it("answer all samples, each by its own name, the first compared with none", () => {
    expect(comparisonSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(result.samples).toBe(SAMPLES);
    expect(result.systems.map(({ name, against }) => [name, against !== undefined])).toEqual([
      ["full", false],
      ["base", true],
      ["K=2", true],
      ["trimmed", true],
    ]);
    expect(result.metric).toBe("contains-plain");
    expect(result.labels["contains-plain"]).toBe("contains (plain)");
    expect(result.notes).toEqual([]);
  });

  it("the trimmed file answers token for token as its boundary does, and other systems do not", () => {
    const tokens = answers.map((own) => own.map((row) => row.tokens));
    expect(tokens).toHaveLength(4);
    expect(tokens[3]).toEqual(tokens[2]);
    expect(tokens[3]).not.toEqual(tokens[0]);
    expect(tokens[1]).not.toEqual(tokens[2]);
    const [boundary, trimmed] = [named(result, "K=2"), named(result, "trimmed")];
    expect({ ...trimmed, name: "K=2" }).toEqual(boundary);
  });

  it("need as many bytes as their tensors have", () => {
    const bytes = (boundary: number): number | undefined =>
      swept.candidates.find((candidate) => candidate.boundary === boundary)?.bytes;
    expect(result.systems.map(({ adapterBytes }) => adapterBytes)).toEqual([bytes(4), 0, bytes(2), bytes(2)]);
  });

  it("are scored on their own answers and paired with the first", () => {
    const outputs = answers.flatMap((own, system) => own.map((row) => ({ ...row, boundary: system })));
    const values = valuesOf(outputs, "selection", "contains-plain");
    const full = [...(values.get(0)?.values() ?? [])];
    for (const [system, { name, scores, against, answers: facts }] of result.systems.entries()) {
      const own = [...(values.get(system)?.values() ?? [])];
      expect([name, scores["contains-plain"]?.value]).toEqual([name, expect.closeTo(meanOf(own), 9)]);
      expect(scores["contains-plain"]?.n).toBe(SAMPLES);
      expect(facts).toMatchObject({ count: SAMPLES, meanTokens: 6, cutAtLimit: SAMPLES });
      if (system === 0) continue;
      const better = own.filter((value, i) => value > (full[i] ?? NaN)).length;
      const worse = own.filter((value, i) => value < (full[i] ?? NaN)).length;
      expect(against?.["contains-plain"]).toMatchObject({ better, worse, same: SAMPLES - better - worse });
      expect(against?.["contains-plain"]?.difference).toBeCloseTo(meanOf(own) - meanOf(full), 9);
    }
    // No answer of the two is exactly a letter: nothing differs, and so few samples leave that much open.
    const { low, high } = named(result, "base").against?.["em"] ?? { low: NaN, high: NaN };
    const open = tangoWithoutLosses(0, SAMPLES);
    expect([low, high]).toEqual([expect.closeTo(open.low, 6), expect.closeTo(open.high, 6)]);
  });

  it("are broken down by group", () => {
    const outputs = answers.flatMap((own, system) => own.map((row) => ({ ...row, boundary: system })));
    const values = valuesOf(outputs, "selection", "contains-plain");
    for (const [system, { groups }] of result.systems.entries()) {
      for (const kind of ["other", "third"]) {
        const own = [...(values.get(system) ?? [])].filter(([id]) => fixtureRow(id).kind === kind);
        const mean = meanOf(own.map(([, value]) => value));
        expect(groups[kind]?.["contains-plain"]).toEqual({ value: expect.closeTo(mean, 9) as number, n: own.length });
      }
    }
  });

  it("show the samples that changed most, the largest change first", () => {
    expect(result.changed.length).toBeGreaterThan(0);
    expect(result.changed.length).toBeLessThanOrEqual(3);
    const spreads = result.changed.map(
      ({ values }) => Math.max(...Object.values(values)) - Math.min(...Object.values(values)),
    );
    expect(spreads).toEqual(spreads.toSorted((a, b) => b - a));
    expect(Math.min(...spreads)).toBeGreaterThan(0);
    for (const { sampleId, references, answers: shown } of result.changed) {
      expect(references).toEqual(fixtureRow(sampleId).answers);
      const row = answers[1]?.find((one) => one.sampleId === sampleId);
      expect(shown["base"]).toBe(row?.output.trim());
    }
  });

  it("analyse what became of the samples whose F1 fell", () => {
    for (const { name, errors, against } of result.systems.slice(1)) {
      expect([name, errors?.metric, errors?.fell]).toEqual([name, "f1", against?.["f1"]?.worse]);
    }
  });

  it("are kept in --out: the same comparison generates nothing, another system only its own answers", async () => {
    const before = answersAsked();
    const systems = ["full", "base", "K=2", at("run/trimmed.gguf")];
    expect(await live(systems, { out: at("kept"), groupBy: "kind" })).toEqual(result);
    expect(answersAsked()).toBe(before);
    await live(["full", "K=3"], { out: at("kept") });
    expect(answersAsked()).toBe(before + SAMPLES);
    const error = await failureOf(RunFolderError, () => live(["full", "base"], { out: at("kept"), maxTokens: 7 }));
    expect(error.message).toContain("holds another run");
  });
});

describe("what is compared", () => {
  it("is measured by the full adapter where that is not named", async () => {
    const { systems } = await live(["base"], { out: at("kept") });
    expect(systems.map(({ name }) => name)).toEqual(["full", "base"]);
  });

  it("may be another adapter of the same model, under the name of its file", async () => {
    await writeTinyAdapter(folder.path, "bottom.gguf", { architecture: "llama", rank: 2, coverage: [0, 1], seed: 9 });
    const { systems } = await live(["full", at("bottom.gguf"), at("lora.gguf")], { out: at("kept") });
    expect(systems.map(({ name }) => name)).toEqual(["full", "bottom", "lora"]);
    // Two layers of rank 2 are a quarter of four layers of rank 4.
    expect(systems[1]?.adapterBytes).toBe((systems[0]?.adapterBytes ?? 0) / 4);
    // The full adapter under its file's name is itself.
    expect(systems[2]?.against?.["contains-plain"]).toMatchObject({ difference: 0, better: 0, worse: 0, same: 12 });
    expect(systems[2]?.scores).toEqual(systems[0]?.scores);
  });

  it("needs an adapter that fits the model, and a boundary that the model has", async () => {
    const other = await writeTinyAdapter(folder.path, "qwen.gguf", { architecture: "qwen2" });
    await failureOf(AdapterError, () => live(["full", other]));
    const error = await failureOf(UsageError, () => live(["full", "K=9"]));
    expect(error.message).toBe("the boundary is beyond the model: found K=9, expected 0 to 4");
  });

  it("needs model, data and an adapter unless it is all in finished runs", async () => {
    const error = await failureOf(UsageError, () => compared({ against: ["base", `${at("run")}#full`] }));
    expect(error.message).toContain("the model, an adapter or the data are missing");
    expect(error.exitCode).toBe(2);
    await failureOf(UsageError, () => compared({ against: [`${at("run")}#full`] }));
  });

  it("is scored by metrics that there are", async () => {
    const error = await failureOf(UsageError, () => live(["base"], { metrics: "em,f3" }));
    expect(error.message).toContain("Did you mean f1?");
  });
});

describe("finished runs", () => {
  const runs = (...which: string[]): string[] => which.map((one) => `${at("run")}#${one}`);

  it("are compared from their folders alone, on the samples that chose nothing", async () => {
    const before = answersAsked();
    const result = await compared({ against: runs("full", "chosen", "base", "K=2"), metric: "contains-plain" });
    expect(answersAsked()).toBe(before);
    expect(result.samples).toBe(swept.data.holdout.length);
    expect(result.systems.map(({ name }) => name)).toEqual(["run#full", "run#chosen", "run#base", "run#K=2"]);
    const values = valuesOf(await outputsOf(at("run")), "holdout", "contains-plain");
    const means = result.systems.map(({ scores }) => scores["contains-plain"]?.value);
    const expected = [4, 2, 0, 2].map(
      (boundary) => expect.closeTo(meanOf(values.get(boundary)?.values() ?? []), 9) as number,
    );
    expect(means).toEqual(expected);
    // The same pairs as the run's own confirmation.
    const own = swept.confirmation.comparisons.find(({ metric }) => metric === "contains-plain");
    expect(result.systems[1]?.against?.["contains-plain"]).toEqual(own?.chosenMinusFull);
  });

  it("without a holdout are compared on the selection", async () => {
    await sweep(tinySweep(fixture, at("no-holdout"), { rule: "paper", holdout: 0 }));
    const folderOf = at("no-holdout");
    const { samples } = await compared({ against: [`${folderOf}#full`, `${folderOf}#chosen`] });
    expect(samples).toBe(SAMPLES);
  });

  it("beside living systems are compared on the samples that both answered", async () => {
    const result = await live(["full", ...runs("full", "chosen"), "K=2"], { out: at("kept") });
    expect(result.samples).toBe(5);
    expect(result.notes).toEqual(["7 samples were not answered by every system and are left out."]);
    expect(named(result, "run#full").scores).toEqual(named(result, "full").scores);
    expect(named(result, "run#chosen").scores).toEqual(named(result, "K=2").scores);
  });

  it("of other samples have nothing in common with the data", async () => {
    const data = at("others.jsonl");
    await writeFile(data, sampleLines(4).replaceAll('"id":"s', '"id":"other'));
    const error = await failureOf(UsageError, () => live(["full", ...runs("full")], { data }));
    expect(error.message).toBe(
      "the systems have no sample in common: found full: 4 samples, run#full: 5 samples, " +
        "expected answers to the same samples, by their ids",
    );
  });

  it("are scored by their own task unless another is named", async () => {
    await sweep(
      tinySweep(fixture, at("math"), { task: "math", rule: "paper", metric: undefined, boundaries: "0,2,4" }),
    );
    const against = ["full", "chosen"].map((one) => `${at("math")}#${one}`);
    expect(Object.keys((await compared({ against })).labels).sort()).toEqual(["gsm8k-flexible", "gsm8k-strict"]);
    expect(Object.keys((await compared({ against, task: "qa" })).labels).sort()).toEqual(["contains", "em", "f1"]);
  });

  it("over other data are refused where their samples have the same ids", async () => {
    const data = at("same-ids.jsonl");
    await writeFile(data, sampleLines(12).replaceAll('"answers":[', '"answers":["zebra",'));
    await sweep(tinySweep({ ...fixture, data }, at("same-ids"), { rule: "paper" }));
    for (const call of [
      () => compared({ against: [...runs("full"), `${at("same-ids")}#full`] }),
      () => live(["full", ...runs("full")], { data }),
    ]) {
      const error = await failureOf(UsageError, call);
      expect(error.message).toContain("the systems answered different samples under the same ids");
    }
  });

  it("that are none, or have not answered, are said", async () => {
    const none = await failureOf(RunFolderError, () =>
      compared({ against: [`${at("nowhere")}#full`, ...runs("full")] }),
    );
    expect(none.message).toContain("holds no finished run");
    const missing = await failureOf(UsageError, () => compared({ against: runs("full", "K=3") }));
    expect(missing.message).toContain(`${at("run")} has no answers of K=3 to its holdout: expected K=0, K=2, K=4`);
    expect(missing.message).toContain("--against K=...");
  });
});

describe("--fail-if", () => {
  it("lists the conditions that hold, in their order", async () => {
    const against = ["full", "chosen"].map((one) => `${at("run")}#${one}`);
    const chosen = swept.confirmation.comparisons.find(({ metric }) => metric === "contains-plain")?.chosen ?? NaN;
    const failIf = [
      `contains-plain < ${chosen + 0.1}`,
      `contains-plain < ${chosen - 0.1}`,
      "contains-plain >= run#full - 100",
      "em@run#full > em@run#chosen",
    ];
    const { failures } = await compared({ against, metric: "contains-plain", failIf });
    expect(failures.map(({ condition }) => condition)).toEqual([failIf[0], failIf[2]]);
  });

  it("that names an unknown metric or system is refused", async () => {
    const against = ["full", "chosen"].map((one) => `${at("run")}#${one}`);
    const metric = await failureOf(UsageError, () => compared({ against, failIf: ["f2 < 50"] }));
    expect(metric.message).toContain("Did you mean f1?");
    const system = await failureOf(UsageError, () => compared({ against, failIf: ["f1 < run#ful"] }));
    expect(system.message).toContain("Did you mean run#full?");
    const before = answersAsked();
    await failureOf(UsageError, () => live(["full", "base"], { failIf: ["f2 < 50"] }));
    expect(answersAsked()).toBe(before);
  });
});
