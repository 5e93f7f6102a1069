import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compareConfigSchema } from "../../src/compare/config.js";
import { compare } from "../../src/compare/compare.js";
import { openEngine } from "../../src/engine/process-engine.js";
import { UsageError } from "../../src/errors.js";
import { reportMarkdown } from "../../src/report/markdown.js";
import { loadReport } from "../../src/report/report-input.js";
import { sweepReport } from "../../src/report/terminal.js";
import type { SweepResult } from "../../src/run/result.js";
import { resolveSettings } from "../../src/settings.js";
import { rescore } from "../../src/sweep/rescore.js";
import { sweep } from "../../src/sweep/sweep.js";
import { jsonl } from "../samples/files.js";
import { answersAsked } from "../support/answers-asked.js";
import { failureOf } from "../support/failure.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rowsOf, tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
let fixture: SweepFixture;
let weighed: SweepResult;

const run = (name: string, more: Readonly<Record<string, unknown>>): Promise<SweepResult> =>
  sweep(tinySweep(fixture, at(name), more));

interface OutputRow {
  readonly boundary: number;
  readonly sampleId: string;
  readonly part: string;
  readonly output?: string;
  readonly likelihood?: { readonly logProbability: number; readonly tokens: number };
}

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path, { samples: 24 });
  weighed = await run("weighed", { metric: "nll" });
}, ENGINE_START_MS);

describe("a sweep by nll", () => {
  it("weighs the references of every boundary, and generates nothing", async () => {
    const rows = await rowsOf<OutputRow>(join(at("weighed"), "outputs.jsonl"));
    expect(rows.filter(({ output }) => output !== undefined)).toEqual([]);
    expect([weighed.metric, Object.keys(weighed.labels)]).toEqual(["nll", ["nll"]]);
    for (const { boundary, selection } of weighed.candidates) {
      const own = rows.filter((row) => row.boundary === boundary && row.part === "selection");
      const [sum, tokens] = [
        own.reduce((total, { likelihood }) => total + (likelihood?.logProbability ?? NaN), 0),
        own.reduce((total, { likelihood }) => total + (likelihood?.tokens ?? NaN), 0),
      ];
      expect(selection?.scores["nll"]?.value).toBeCloseTo((100 * sum) / tokens, 9);
      expect(selection?.scores["nll"]?.signature).toContain("unit:0.01nat/token|ref:first");
      expect(selection?.answers.empty).toBe(0);
    }
    const value = (boundary: number): number => weighed.candidates[boundary]?.selection?.scores["nll"]?.value ?? NaN;
    expect(value(0)).not.toBeCloseTo(value(4), 3);
  });

  it("finds what the engine finds of the whole text", async () => {
    const [row] = await rowsOf<OutputRow>(join(at("weighed"), "outputs.jsonl"));
    const samples = await rowsOf<{ id: string; prompt: string; references: string[] }>(
      join(at("weighed"), "samples.jsonl"),
    );
    const sample = samples.find(({ id }) => id === row?.sampleId);
    const engine = await openEngine({ modelPath: fixture.model, gpu: "off", gpuLayers: 0, threads: 1 });
    try {
      const [prompt = [], whole = []] = await engine.tokenize([
        sample?.prompt ?? "",
        `${sample?.prompt ?? ""}${sample?.references[0] ?? ""}`,
      ]);
      let sum = 0;
      for (let place = prompt.length; place < whole.length; place++) {
        const context = {
          sequences: 1,
          contextSize: 512,
          batchSize: 512,
          cacheType: "F16",
          flashAttention: "auto",
        } as const;
        const logits = await engine.nextTokenLogits({ pieces: [], context, tokens: whole.slice(0, place) });
        const highest = Math.max(...logits);
        const total = logits.reduce((all, logit) => all + Math.exp(logit - highest), 0);
        sum += (logits[whole[place] ?? 0] ?? NaN) - highest - Math.log(total);
      }
      expect(row?.likelihood?.tokens).toBe(whole.length - prompt.length);
      expect(row?.likelihood?.logProbability).toBeCloseTo(sum, 2);
    } finally {
      await engine.close();
    }
  });

  it("ends as before when it is run again, and when its run is scored again", async () => {
    const again = await run("weighed", { metric: "nll" });
    expect({ ...again, timings: 0 }).toEqual({ ...weighed, timings: 0 });
    expect(again.timings.answersGenerated).toBe(0);
    expect(await rescore(at("weighed"), {})).toEqual(again);
    expect((await rescore(at("weighed"), { rule: "best" })).metric).toBe("nll");
    const error = await failureOf(UsageError, () => rescore(at("weighed"), { metric: "f1" }));
    expect(error.message).toContain("there is no score of f1");
    const texts = [sweepReport(weighed), reportMarkdown(await loadReport(at("weighed")))];
    for (const text of texts) {
      expect(text).toContain("-NLL");
      expect(text).not.toContain("tokens/answer");
      expect(text).toContain(`${weighed.data.holdout.length} holdout samples`);
    }
    expect(await readFile(join(at("weighed"), "report.html"), "utf8").catch(() => "-NLL")).toContain("-NLL");
  });

  it("with --confirm answers the holdout alone, in the same folder without weighing anything again", async () => {
    const before = answersAsked();
    const confirmed = await run("weighed", { metric: "nll", confirm: "em,f1" });
    const holdout = confirmed.data.holdout.length;
    const asked = answersAsked() - before;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(3 * holdout + 12);
    expect(confirmed.choice).toEqual(weighed.choice);
    for (const { selection, holdout: part } of confirmed.candidates) {
      if (selection) expect(Object.keys(selection.scores)).toEqual(["nll"]);
      if (part) expect(Object.keys(part.scores).sort()).toEqual(["em", "f1", "nll"]);
    }
    expect(confirmed.confirmation.comparisons.map(({ metric }) => metric)).toEqual(["nll", "em", "f1"]);
    expect(confirmed.confirmation.comparisons[0]).toEqual(weighed.confirmation.comparisons[0]);
    const error = await failureOf(UsageError, () => run("no", { metric: "f1", confirm: "em" }));
    expect(error.message).toContain("--metric nll");
  });

  it("races, cross-validates, and stands beside answers where both are asked for", async () => {
    const raced = await run("raced", { metric: "nll", race: true, rule: "best" });
    const best = await rescore(at("weighed"), { rule: "best" });
    expect(raced.choice.boundary).toBe(best.choice.boundary);
    // A likelihood is the same in whatever company it was weighed.
    const whole = await run("raced", { metric: "nll", rule: "best" });
    expect(whole.timings.answersReused).toBe(raced.timings.answersGenerated);
    const scores = ({ candidates }: SweepResult): unknown =>
      candidates.map(({ selection }) => selection?.scores["nll"]);
    expect(scores(whole)).toEqual(scores(best));
    expect((await run("folds", { metric: "nll", folds: 3 })).confirmation.part).toBe("folds");
    const both = await run("both", { metrics: "f1,nll", metric: "f1", holdout: 0 });
    expect(Object.keys(both.candidates[0]?.selection?.scores ?? {}).sort()).toEqual(["f1", "nll"]);
    const rows = await rowsOf<OutputRow>(join(at("both"), "outputs.jsonl"));
    expect(rows.every(({ output, likelihood }) => output !== undefined && likelihood !== undefined)).toBe(true);
  });

  it("compares systems by it", async () => {
    const { model, adapter, data, prompt } = fixture;
    const settings = { model, adapter, data, prompt, gpu: "off", threads: 1, metric: "nll", against: ["base", "K=2"] };
    const { systems } = await compare(resolveSettings(compareConfigSchema, "compare", [settings]));
    const values = systems.map(({ scores }) => scores["nll"]?.value);
    expect(values).toHaveLength(3);
    expect(new Set(values).size).toBe(3);
  });

  it("needs a reference with a token", async () => {
    const data = at("unanswerable.jsonl");
    const row = (id: string, text: string[]) => ({
      id,
      question: `What is ${id}?`,
      answers: { text, answer_start: text.map(() => 0) },
    });
    await writeFile(data, jsonl(row("a", ["x"]), row("b", []), row("c", ["y"]), row("d", ["z"])));
    const error = await failureOf(UsageError, () => run("empty", { metric: "nll", data, holdout: 0 }));
    expect(error.message).toContain("nll weighs the reference of each sample, and that of b has no token");
  });
});
