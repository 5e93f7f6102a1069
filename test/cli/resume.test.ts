import { cp, readFile, truncate, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { exists } from "../../src/files/atomic-file.js";
import { finished, killGroup, runCli, startCli } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, sweepArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

vi.mock("../../src/engine/process-engine.js", async (original) =>
  (await import("../support/pooled-engine.js")).pooledEngines(await original()),
);

const folder = temporaryFolder();
let fixture: SweepFixture;
let unbroken: unknown;

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
  const { code } = await callCli(sweepArguments(fixture, join(folder.path, "unbroken"), "--quiet"));
  expect(code).toBe(0);
  unbroken = await resultOf("unbroken");
}, ENGINE_START_MS);

async function resultOf(name: string): Promise<unknown> {
  const rest = JSON.parse(await readFile(join(folder.path, name, "result.json"), "utf8")) as Record<string, unknown>;
  delete rest["timings"];
  return rest;
}

async function journalLines(name: string): Promise<number> {
  const text = await readFile(join(folder.path, name, "journal.jsonl"), "utf8").catch(() => "");
  return text.split("\n").length - 1;
}

/** Waits until the journal of a running sweep has at least so many answers. */
async function answered(name: string, answers: number): Promise<void> {
  while ((await journalLines(name)) < answers) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("a sweep that is killed", () => {
  it.each([1, 7, 16, 29, 34])("after %i answers and run again ends in the same result", async (answers) => {
    const name = `killed-${answers}`;
    const arguments_ = sweepArguments(fixture, join(folder.path, name), "--quiet");
    const child = startCli(arguments_);
    await answered(name, answers);
    killGroup(child);
    await finished(child);
    expect(await exists(join(folder.path, name, "result.json"))).toBe(false);
    const kept = await journalLines(name);

    const { code } = await callCli(arguments_);
    expect(code).toBe(0);
    expect(await resultOf(name)).toEqual(unbroken);
    const { timings } = JSON.parse(await readFile(join(folder.path, name, "result.json"), "utf8")) as {
      timings: { answersReused: number };
    };
    expect(timings.answersReused).toBeGreaterThan(0);
    expect(kept).toBeGreaterThanOrEqual(answers);
  });

  it("in the middle of a line loses that answer only", async () => {
    const torn = join(folder.path, "torn");
    await cp(join(folder.path, "unbroken"), torn, { recursive: true });
    const { size } = await stat(join(torn, "journal.jsonl"));
    await truncate(join(torn, "journal.jsonl"), size - 20);
    const { code } = await runCli(sweepArguments(fixture, torn, "--quiet"));
    expect(code).toBe(0);
    expect(await resultOf("torn")).toEqual(unbroken);
  });
});

describe("Ctrl-C", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s stops cleanly with exit code %i and keeps the answers", async (signal, exitCode) => {
    const name = `stopped-${signal}`;
    const arguments_ = sweepArguments(fixture, join(folder.path, name));
    const child = startCli(arguments_);
    const ended = finished(child);
    await answered(name, 5);
    // A terminal sends it to the whole group, the engine's process included.
    if (child.pid !== undefined) process.kill(-child.pid, signal);
    const { code, stderr } = await ended;
    expect(code).toBe(exitCode);
    expect(stderr).toContain("run the same command again");
    expect(await exists(join(folder.path, name, ".pieces"))).toBe(false);
    expect(await exists(join(folder.path, name, ".lock"))).toBe(false);
    expect((await callCli(arguments_)).code).toBe(0);
    expect(await resultOf(name)).toEqual(unbroken);
  });
});

describe("a folder with another run", () => {
  it.each([
    ["another --max-tokens", ["--max-tokens", "7"], "max-tokens"],
    ["another --seed", ["--seed", "5"], "seed"],
    ["another --system", ["--system", "Be brief."], "system"],
  ])("%s is refused and said", async (_title, flags, word) => {
    const { code, stderr } = await callCli([...sweepArguments(fixture, join(folder.path, "unbroken")), ...flags]);
    expect(code).toBe(2);
    expect(stderr).toContain("holds another run");
    expect(stderr).toContain(word);
    expect(await resultOf("unbroken")).toEqual(unbroken);
  });

  it("--fresh starts over", async () => {
    await cp(join(folder.path, "unbroken"), join(folder.path, "fresh"), { recursive: true });
    const { code } = await callCli([
      ...sweepArguments(fixture, join(folder.path, "fresh"), "--fresh"),
      "--max-tokens",
      "5",
      "--quiet",
    ]);
    expect(code).toBe(0);
    const { config } = (await resultOf("fresh")) as { config: Record<string, unknown> };
    expect(config["max-tokens"]).toBe(5);
  });
});
