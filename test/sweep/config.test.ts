import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { UsageError } from "../../src/errors.js";
import { redact } from "../../src/files/redact.js";
import { recipe, redactedConfig, parseConfig, settingNames, settingsFromFile } from "../../src/sweep/config.js";
import { kebabCase } from "../../src/settings.js";
import { failureOf } from "../support/failure.js";

vi.mock("node:os", { spy: true });
const required = { model: "base.gguf", adapter: "lora.gguf", data: "v.jsonl", out: "runs/a" };

describe("settings", () => {
  it("have defaults", () => {
    expect(parseConfig(required)).toEqual({
      ...required,
      layout: "auto",
      turns: "last",
      onBadRow: "fail",
      rule: "no-worse",
      margin: 2,
      seed: 0,
      holdout: 0.5,
      gpu: "auto",
      gpuLayers: "auto",
      sequences: "auto",
      qaScript: "auto",
      context: "supporting",
      onOverflow: "fail",
    });
  });

  it("come from flags over the file over defaults; an absent flag does not hide the file", () => {
    const flags = { ...required, seed: 1, limit: undefined };
    const file = { seed: 2, limit: 20, maxTokens: null, adapter: "other.gguf" };
    const config = parseConfig(flags, file);
    expect(config).toMatchObject({ seed: 1, limit: 20, adapter: "lora.gguf", holdout: 0.5 });
    expect([config.maxTokens, config.boundaries]).toEqual([undefined, undefined]);
  });

  it("that are missing are all named at once", async () => {
    const error = await failureOf(UsageError, () => parseConfig({ model: "base.gguf" }));
    expect(error.message).toBe(
      "--adapter is missing; --data is missing; --out is missing. `boundary sweep --help` lists every option.",
    );
    expect(error.exitCode).toBe(2);
  });

  it.each([
    [{ maxTokens: "many" }, '--max-tokens is "many": '],
    [{ maxTokens: 0 }, "--max-tokens is 0: "],
    [{ limit: 2.5 }, "--limit is 2.5: "],
    [{ seed: -1 }, "--seed is -1: "],
    [{ seed: 2 ** 32 }, "--seed is 4294967296: "],
    [{ holdout: 1 }, "--holdout is 1: "],
    [{ holdout: "" }, '--holdout is "": '],
    [{ gpu: "cpu" }, '--gpu is "cpu": '],
    [{ gpuLayers: -1 }, "--gpu-layers is -1: "],
    [{ onOverflow: "cut" }, '--on-overflow is "cut": '],
    [{ sequences: 257 }, "--sequences is 257: "],
    [{ model: ["a"] }, '--model is ["a"]: '],
    [{ margin: 0 }, "--margin is 0: "],
    [{ margin: -1 }, "--margin is -1: "],
    [{ margin: 101 }, "--margin is 101: "],
    [{ margin: "two" }, '--margin is "two": '],
    [{ folds: 1 }, "--folds is 1: "],
    [{ folds: 51 }, "--folds is 51: "],
    [{ folds: 2.5 }, "--folds is 2.5: "],
    [{ floor: "" }, '--floor is "": '],
    [{ metrics: ["em", "f1"] }, '--metrics is ["em","f1"]: '],
    [{ groupBy: 3 }, "--group-by is 3: "],
    [{ extract: "" }, '--extract is "": '],
  ])("of a wrong type or range name their flag: %j", async (wrong, words) => {
    const error = await failureOf(UsageError, () => parseConfig({ ...required, ...wrong }));
    expect(error.message).toContain(words);
    expect(error.message.slice(words.length)).toMatch(/^\S.{5,}/);
  });

  it("name a rule that there is", async () => {
    const error = await failureOf(UsageError, () => parseConfig({ ...required, rule: "luck" }));
    expect(error.message).toContain(
      'unknown rule: found "luck", expected one of best, one-se, no-worse, paper. Did you mean',
    );
  });

  it("of no known name are told with the nearest one", async () => {
    const error = await failureOf(UsageError, () => parseConfig({ ...required, modle: "x", maxToken: 3 }));
    expect(error.message).toContain("unknown setting modle (did you mean model?)");
    expect(error.message).toContain("unknown setting maxToken (did you mean maxTokens?)");
    const scoring = await failureOf(UsageError, () =>
      parseConfig({ ...required, margn: 2, flor: "f1=-1", ruel: "best" }),
    );
    expect(scoring.message).toContain("unknown setting margn (did you mean margin?)");
    expect(scoring.message).toContain("unknown setting flor (did you mean floor?)");
    expect(scoring.message).toContain("unknown setting ruel (did you mean rule?)");
  });

  it("of how to choose and score are taken as they are given", () => {
    const how = {
      rule: "one-se",
      margin: 0.5,
      floor: "f1=-1.0,bleu:tok=zh=-2",
      folds: 5,
      metric: "f1",
      metrics: "em,f1",
      groupBy: "length:question",
      extract: "is (.+)",
    };
    expect(parseConfig({ ...required, ...how })).toMatchObject(how);
    for (const rule of ["best", "one-se", "no-worse", "paper"]) {
      expect(parseConfig({ ...required, rule }).rule).toBe(rule);
    }
  });

  it("are named in kebab case", () => {
    expect(kebabCase("onOverflow")).toBe("on-overflow");
    expect(settingNames).toEqual(
      expect.arrayContaining(["model", "gpu-layers", "context-size", "on-overflow", "group-by", "target-language"]),
    );
  });
});

describe("a configuration file", () => {
  const settings = (yaml: string): unknown => settingsFromFile(parse(yaml), "sweep.yaml");

  it("has the names of the flags; lists and mappings stand for their flags' texts", () => {
    const yaml = "max-tokens: 8\nboundaries: [0, 5, full]\nmap:\n  question: q\n  answers: gold.text\nholdout: 0.25\n";
    expect(settings(yaml)).toEqual({
      maxTokens: 8,
      boundaries: "0,5,full",
      map: "question=q,answers=gold.text",
      holdout: 0.25,
    });
    expect(settings("rules: hotpotqa"), "the name that earlier results have").toEqual({ qaScript: "hotpotqa" });
    expect(settings("boundaries: 5")).toEqual({ boundaries: "5" });
    expect(settings('boundaries: "0-30:5"')).toEqual({ boundaries: "0-30:5" });
  });

  it("says how to choose and score", () => {
    const yaml =
      "rule: best\nmargin: 1.5\nfloor: f1=-1.0\nfolds: 4\nmetric: f1\nmetrics: em,f1\ngroup-by: type\nextract: 'is (.+)'\n";
    const found = settings(yaml) as Record<string, unknown>;
    expect(found).toEqual({
      rule: "best",
      margin: 1.5,
      floor: "f1=-1.0",
      folds: 4,
      metric: "f1",
      metrics: "em,f1",
      groupBy: "type",
      extract: "is (.+)",
    });
    expect(parseConfig(required, found)).toMatchObject({ rule: "best", folds: 4, groupBy: "type" });
  });

  it("may be empty, or leave a value open", () => {
    expect(settings("")).toEqual({});
    expect(settings("# nothing yet\n")).toEqual({});
    expect(parseConfig(required, settingsFromFile(parse("limit:\n"), "sweep.yaml")).limit).toBeUndefined();
  });

  it.each([
    ["max-token: 8", "max-token", "max-tokens"],
    ["maxTokens: 8", "maxTokens", "max-tokens"],
    ["boundary: 8", "boundary", "boundaries"],
    ["groupBy: type", "groupBy", "group-by"],
    ["group_by: type", "group_by", "group-by"],
    ["margins: 2", "margins", "margin"],
    ["floors: f1=-1", "floors", "floor"],
    ["fold: 3", "fold", "folds"],
    ["extraction: x", "extraction", "extract"],
    ["__proto__: 8", "__proto__", ""],
  ])("with the unknown key of %j is refused with the nearest name", async (yaml, key, nearest) => {
    const error = await failureOf(UsageError, () => settings(yaml));
    expect(error.message).toContain(
      `sweep.yaml: unknown setting: found ${JSON.stringify(key)}. Did you mean ${nearest}`,
    );
    expect(error.exitCode).toBe(2);
  });

  it.each(["- model", "just text", "42"])("that is no mapping is refused: %j", async (yaml) => {
    const error = await failureOf(UsageError, () => settings(yaml));
    expect(error.message).toContain("sweep.yaml is not a list of settings: expected lines such as `model: base.gguf`");
  });
});

describe("what goes into a result", () => {
  beforeEach(() => {
    vi.mocked(homedir).mockReturnValue("/home/ann");
  });
  afterEach(() => {
    vi.mocked(homedir).mockRestore();
  });

  it.each([
    ["/home/ann/models/base.gguf", "~/models/base.gguf"],
    ["/home/ann", "~"],
    ["question=/home/ann/a,b=/home/ann/b", "question=~/a,b=~/b"],
    ["/home/anna/base.gguf", "/home/anna/base.gguf"],
    ["/home/ann-2/base.gguf", "/home/ann-2/base.gguf"],
    ["/mnt/home/ann/base.gguf", "/mnt/home/ann/base.gguf"],
    ["models/base.gguf", "models/base.gguf"],
    ["hf:user/repo:Q4_K_M", "hf:user/repo:Q4_K_M"],
    ["https://user:pa55@host/m.gguf", "https://***@host/m.gguf"],
    ["https://user:p@55@host/m.gguf", "https://***@host/m.gguf"],
    ["https://host/a@b/m.gguf", "https://host/a@b/m.gguf"],
    ["https://host/m.gguf?token=abc&x=1", "https://host/m.gguf?token=***&x=1"],
    ["https://host/m.gguf?x=1&API_KEY=abc", "https://host/m.gguf?x=1&API_KEY=***"],
    ["https://host/m.gguf?X-Amz-Signature=abc&sig=d&x=1", "https://host/m.gguf?X-Amz-Signature=***&sig=***&x=1"],
  ])("hides home folder and secrets: %s", (value, hidden) => {
    expect(redact(value)).toBe(hidden);
  });

  it("hides nothing for the home folder /", () => {
    vi.mocked(homedir).mockReturnValue("/");
    expect(redact("/models/base.gguf")).toBe("/models/base.gguf");
  });

  it("is the configuration under its flags' names, sorted, without the folder of the run", () => {
    const config = parseConfig(required, { model: join("/home/ann", "base.gguf"), maxTokens: 8 });
    const shown = redactedConfig({ ...config, model: "/home/ann/base.gguf" });
    expect(shown).toMatchObject({ model: "~/base.gguf", "max-tokens": 8, "on-overflow": "fail" });
    expect(Object.keys(shown)).toEqual(Object.keys(shown).sort());
    expect(shown).not.toHaveProperty("out");
    expect(shown).not.toHaveProperty("limit");
  });

  it("hides the same in lists", () => {
    const against = ["base", "/home/ann/trimmed.gguf", "https://user:pa55@host/m.gguf"];
    expect(redactedConfig({ against, show: 3 })).toEqual({
      against: ["base", "~/trimmed.gguf", "https://***@host/m.gguf"],
      show: 3,
    });
  });

  it("says how K was chosen only where that was not the default", () => {
    const usual = parseConfig({ ...required, rule: "no-worse", margin: 2 });
    expect(recipe(usual)).toBe("boundary sweep --adapter lora.gguf --data v.jsonl --model base.gguf --out RUN");
    const other = parseConfig({ ...required, rule: "best", floor: "f1=-1.0", groupBy: "type", folds: 5 });
    expect(recipe(other)).toBe(
      "boundary sweep --adapter lora.gguf --data v.jsonl --floor f1=-1.0 --folds 5 --group-by type --model base.gguf --rule best --out RUN",
    );
  });

  it("is a command with what differs from the defaults, ready to be pasted into a shell", () => {
    const config = parseConfig({
      ...required,
      model: "/home/ann/base.gguf",
      boundaries: "0-30:5",
      seed: 0,
      system: "It's $HOME; be brief",
      maxTokens: 8,
    });
    expect(recipe(config)).toBe(
      "boundary sweep --adapter lora.gguf --boundaries 0-30:5 --data v.jsonl --max-tokens 8 --model ~/base.gguf " +
        "--system 'It'\\''s $HOME; be brief' --out RUN",
    );
  });
});
