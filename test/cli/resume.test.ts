import { cp, readFile, truncate, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exists } from "../../src/files/atomic-file.js";
import { finished, killGroup, startCli } from "../support/cli.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, sweepArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

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
  const MOST = 34;

  /** Runs again what was killed, in a folder of this name. */
  async function goesOn(name: string, kept: number): Promise<void> {
    const out = join(folder.path, name);
    expect(await exists(join(out, "result.json"))).toBe(false);
    const { code } = await callCli(sweepArguments(fixture, out, "--quiet"));
    expect(code).toBe(0);
    expect(await resultOf(name)).toEqual(unbroken);
    const { timings } = JSON.parse(await readFile(join(out, "result.json"), "utf8")) as {
      timings: { answersReused: number };
    };
    expect(timings.answersReused).toBe(kept);
  }

  beforeAll(async () => {
    const child = startCli(sweepArguments(fixture, join(folder.path, "killed"), "--quiet"));
    await answered("killed", MOST);
    killGroup(child);
    await finished(child);
  });

  it.each([1, 7, 16, 29])("after %i answers and run again ends in the same result", async (answers) => {
    const name = `killed-${answers}`;
    await cp(join(folder.path, "killed"), join(folder.path, name), { recursive: true });
    const journal = join(folder.path, name, "journal.jsonl");
    const lines = (await readFile(journal, "utf8")).split("\n").slice(0, answers);
    await writeFile(journal, `${lines.join("\n")}\n`);
    await goesOn(name, answers);
  });

  it(`after ${MOST} answers or a few more and run again ends in the same result`, async () => {
    const kept = await journalLines("killed");
    expect(kept).toBeGreaterThanOrEqual(MOST);
    await goesOn("killed", kept);
  });

  it("in the middle of a line loses that answer only", async () => {
    const torn = join(folder.path, "torn");
    await cp(join(folder.path, "unbroken"), torn, { recursive: true });
    const { size } = await stat(join(torn, "journal.jsonl"));
    await truncate(join(torn, "journal.jsonl"), size - 20);
    const { code } = await callCli(sweepArguments(fixture, torn, "--quiet"));
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
