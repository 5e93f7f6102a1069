import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { UsageError } from "../../src/errors.js";
import {
  kebabCase,
  recipe,
  redact,
  redactedConfig,
  resolveConfig,
  settingNames,
  settingsFromFile,
} from "../../src/sweep/config.js";
import { failureOf } from "../support/failure.js";

vi.mock("node:os", { spy: true });
const required = { model: "base.gguf", adapter: "lora.gguf", data: "v.jsonl", out: "runs/a" };

describe("settings", () => {
  it("have defaults", () => {
    expect(resolveConfig(required)).toEqual({
      ...required,
      task: "qa",
      boundaries: "all",
      seed: 0,
      holdout: 0.5,
      gpu: "auto",
      gpuLayers: "auto",
      sequences: "auto",
      rules: "auto",
      context: "supporting",
      onOverflow: "fail",
    });
  });

  it("come from flags over the file over defaults; an absent flag does not hide the file", () => {
    const flags = { ...required, seed: 1, limit: undefined };
    const file = { seed: 2, limit: 20, maxTokens: null, adapter: "other.gguf" };
    const config = resolveConfig(flags, file);
    expect(config).toMatchObject({ seed: 1, limit: 20, adapter: "lora.gguf", boundaries: "all" });
    expect(config.maxTokens).toBeUndefined();
  });

  it("that are missing are all named at once", async () => {
    const error = await failureOf(UsageError, () => resolveConfig({ model: "base.gguf" }));
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
  ])("of a wrong type or range name their flag: %j", async (wrong, words) => {
    const error = await failureOf(UsageError, () => resolveConfig({ ...required, ...wrong }));
    expect(error.message).toContain(words);
    expect(error.message.slice(words.length)).toMatch(/^\S.{5,}/);
  });

  it("of no known name are told with the nearest one", async () => {
    const error = await failureOf(UsageError, () => resolveConfig({ ...required, modle: "x", maxToken: 3 }));
    expect(error.message).toContain("unknown setting modle (did you mean model?)");
    expect(error.message).toContain("unknown setting maxToken (did you mean maxTokens?)");
  });

  it("are named in kebab case", () => {
    expect(kebabCase("onOverflow")).toBe("on-overflow");
    expect(settingNames).toEqual(expect.arrayContaining(["model", "gpu-layers", "context-size", "on-overflow"]));
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
    expect(settings("boundaries: 5")).toEqual({ boundaries: "5" });
    expect(settings('boundaries: "0-30:5"')).toEqual({ boundaries: "0-30:5" });
  });

  it("may be empty, or leave a value open", () => {
    expect(settings("")).toEqual({});
    expect(settings("# nothing yet\n")).toEqual({});
    expect(resolveConfig(required, settingsFromFile(parse("limit:\n"), "sweep.yaml")).limit).toBeUndefined();
  });

  it.each([
    ["max-token: 8", "max-token", "max-tokens"],
    ["maxTokens: 8", "maxTokens", "max-tokens"],
    ["boundary: 8", "boundary", "boundaries"],
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
    const config = resolveConfig(required, { model: join("/home/ann", "base.gguf"), maxTokens: 8 });
    const shown = redactedConfig({ ...config, model: "/home/ann/base.gguf" });
    expect(shown).toMatchObject({ model: "~/base.gguf", "max-tokens": 8, "on-overflow": "fail" });
    expect(Object.keys(shown)).toEqual(Object.keys(shown).sort());
    expect(shown).not.toHaveProperty("out");
    expect(shown).not.toHaveProperty("limit");
  });

  it("is a command with what differs from the defaults, ready to be pasted into a shell", () => {
    const config = resolveConfig({
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
