import { describe, expect, it } from "vitest";
import { parseSystems } from "../../src/compare/systems.js";
import { UsageError } from "../../src/errors.js";

describe("parseSystems", () => {
  it("knows base, full, boundaries, adapters and runs", () => {
    expect(
      parseSystems(["full", "base", "K=20", "a/trimmed.gguf", "runs/first#chosen", "b/trimmed.gguf"], true),
    ).toEqual([
      { name: "full", kind: "full" },
      { name: "base", kind: "base" },
      { name: "K=20", kind: "boundary", boundary: 20 },
      { name: "trimmed", kind: "adapter", path: "a/trimmed.gguf" },
      { name: "first#chosen", kind: "run", folder: "runs/first", which: "chosen" },
      { name: "trimmed-2", kind: "adapter", path: "b/trimmed.gguf" },
    ]);
  });
  it("knows a run's boundaries, and folders and files with odd names", () => {
    expect(parseSystems(["runs/a#b#K=3", "k=04", "lora", "full.gguf", "peft-folder/", "full"], true)).toEqual([
      { name: "a#b#K=3", kind: "run", folder: "runs/a#b", which: "K=3" },
      { name: "K=4", kind: "boundary", boundary: 4 },
      { name: "lora", kind: "adapter", path: "lora" },
      { name: "full", kind: "adapter", path: "full.gguf" },
      { name: "peft-folder", kind: "adapter", path: "peft-folder/" },
      { name: "full-2", kind: "full" },
    ]);
  });
  it("gives every system a name of its own, also where one is called like a second of another", () => {
    const names = parseSystems(["trimmed-2.gguf", "a/trimmed.gguf", "b/trimmed.gguf"], true).map(({ name }) => name);
    expect(new Set(names).size).toBe(3);
  });
  it("refuses one alone, and what needs an adapter without one", () => {
    expect(() => parseSystems(["base"], true)).toThrow(UsageError);
    expect(() => parseSystems(["base", "K=3"], false)).toThrow(/--adapter/);
  });
});
