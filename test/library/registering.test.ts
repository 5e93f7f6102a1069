import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as library from "../../src/index.js";
import { importModules } from "../../src/cli/import-modules.js";
import { UsageError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const required = { model: "base.gguf", adapter: "lora.gguf", data: "v.jsonl", out: "runs/a" };
const metric = (name: string): library.Metric => library.meanMetric({ name, perSample: () => 1 });

describe("what is registered", () => {
  it("is found by its name, and listed behind what was there", () => {
    library.registerMetric(metric("always"));
    library.registerTask({ name: "trivia", metrics: ["always", "em"] });
    library.registerStrategy({ name: "none", masks: () => [] });
    library.registerRule({ name: "keep", choose: ({ full }) => ({ chosen: full }) });
    expect(library.metricByName("always", { rules: "squad" }).label).toBe("always");
    expect(library.taskByName("trivia")).toMatchObject({ kind: "custom", primary: "always", maxTokens: 128 });
    expect(library.parseStrategy("none:3", 8)).toMatchObject({ kind: "registered", detail: "3" });
    expect(library.resolveConfig({ ...required, rule: "keep" }).rule).toBe("keep");
    expect(library.metricNames().at(-1)).toBe("always");
    expect(library.taskNames().at(-1)).toBe("trivia");
    expect(library.strategyForms().slice(-2)).toEqual(["masks:FILE", "none"]);
    expect(library.ruleNames()).toEqual(["best", "one-se", "no-worse", "paper", "keep"]);
  });

  it.each([
    ["em", /There is a metric named em already/],
    ["a,b", /"a,b" cannot be the name of a metric/],
    ["bleu:mine", /cannot be the name/],
    ["", /cannot be the name/],
  ])("has no name that is taken or cannot be written: %j", (name, words) => {
    expect(() => {
      library.registerMetric(metric(name));
    }).toThrow(words);
  });

  it("is not raced: nobody knows whom a rule of one's own can still choose", async () => {
    const { predictionErrorOf } = await import("../../src/choice/race-track.js");
    expect(predictionErrorOf("best")).toBe(0.05);
    expect(() => predictionErrorOf("own")).toThrow(/--race cannot tell when the rule own can no longer choose/);
  });

  it("may not choose what a floor excludes", async () => {
    const { applyRule } = await import("../../src/choice/rules.js");
    const { Evidence } = await import("../../src/choice/evidence.js");
    const { scoredAt } = await import("../support/scored.js");
    library.registerRule({ name: "wild", choose: () => ({ chosen: 7 }) });
    const scored = [scoredAt(0, { em: [0, 1] }), scoredAt(1, { em: [1, 1] })];
    const [, full] = scored;
    if (!full) throw new Error("no full adapter");
    const settings = { rule: "wild", metric: "em", layerCount: 1, margin: 2, floors: [] };
    expect(() => applyRule(Evidence.of(scored, full, ["em"]), settings)).toThrow("the rule wild chose 7");
  });
});

describe("--import", () => {
  const folder = temporaryFolder();
  const module = async (name: string, text: string): Promise<string> => {
    const path = join(folder.path, name);
    await writeFile(path, text);
    return path;
  };

  it("takes a module once, however often it is named", async () => {
    const text =
      'export default ({ registerMetric, meanMetric }) => registerMetric(meanMetric({ name: "once", perSample: () => 0 }));';
    const path = await module("once.mjs", text);
    await importModules([path, path]);
    await importModules(path);
    expect(library.metricNames().filter((name) => name === "once")).toEqual(["once"]);
  });

  it.each([
    ["absent.mjs", undefined, /^Cannot import \S+absent\.mjs: no such file$/],
    ["plain.mjs", "export const x = 1;", /plain\.mjs exports no function by default: expected export default/],
    ["idle.mjs", "export default () => {};", /idle\.mjs registers nothing: expected a call of registerMetric/],
    ["broken.mjs", "export default () => {", /^Cannot import \S+broken\.mjs: /],
    [
      "thrower.mjs",
      'export default () => { throw new Error("too late"); };',
      /^Cannot import \S+thrower\.mjs: too late$/,
    ],
    ["lonely.mjs", 'import "not-there"; export default () => {};', /^Cannot import \S+lonely\.mjs: .*not-there/],
  ])("says what is wrong with %s", async (name, text, words) => {
    const path = text === undefined ? join(folder.path, name) : await module(name, text);
    const error = await failureOf(UsageError, () => importModules(path));
    expect(error.message).toMatch(words);
    expect(error.exitCode).toBe(2);
  });
});

describe("settings", () => {
  it("are checked by the compiler", () => {
    // @ts-expect-error a setting that there is not
    expect(() => library.resolveConfig({ ...required, modle: 1 })).toThrow(/did you mean model/);
    // @ts-expect-error a value of another type
    expect(() => library.resolveConfig({ ...required, limit: "ten" })).toThrow(/--limit is "ten"/);
    // @ts-expect-error what a sweep must be told
    expect(() => library.resolveConfig({ model: "base.gguf" })).toThrow(/--adapter is missing/);
  });
});
