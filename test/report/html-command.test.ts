import { Command } from "commander";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { reportCommand } from "../../src/cli/report.js";
import { UsageError } from "../../src/errors.js";
import { failureOf } from "../support/failure.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeFinishedRun } from "./finished-run.js";

const folder = temporaryFolder();

/** Runs `boundary report` with these arguments and returns what it prints. */
async function report(...args: readonly string[]): Promise<string> {
  let printed = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await new Command().addCommand(reportCommand().exitOverride()).parseAsync(["report", ...args], { from: "user" });
    return printed;
  } finally {
    write.mockRestore();
  }
}

describe("boundary report", () => {
  let run = "";
  beforeAll(async () => {
    run = join(folder.path, "run");
    await writeFinishedRun(run);
  });

  it("writes the page into the run's folder and prints its path, or where --out says", async () => {
    const page = join(run, "report.html");
    expect(await report(run)).toBe(`${page}\n`);
    const elsewhere = join(folder.path, "elsewhere.html");
    expect(await report(run, "--out", elsewhere)).toBe(`${elsewhere}\n`);
    expect(await readFile(elsewhere, "utf8")).toBe(await readFile(page, "utf8"));
  });

  it("prints Markdown and CSV, and writes nothing then", async () => {
    const before = await readdir(folder.path);
    expect(await report(run, "--md")).toMatch(/^### Boundary report: run\n[\s\S]*<\/details>\n$/);
    const rows = (await report(run, run, "--csv")).trimEnd().split("\r\n");
    // The head, and for two runs: seven candidates on the selection and three on the holdout in three metrics.
    expect(rows).toHaveLength(1 + 2 * (7 + 3) * 3);
    expect(rows.at(-1)).toMatch(/^run-2,/);
    expect(await report(run, run, "--md")).toMatch(/^### Boundary report: run, run-2\n/);
    expect(await readdir(folder.path)).toEqual(before);
  });

  it("puts several runs on one page, with the margin that is asked for", async () => {
    const page = join(folder.path, "runs.html");
    expect(await report(run, run, "--out", page, "--margin", "30")).toBe(`${page}\n`);
    expect(await readFile(page, "utf8")).toContain("K=2 to 6 keep both runs within 30 points");
  });

  it("refuses a margin for one run or for CSV", async () => {
    const error = await failureOf(UsageError, () => report(run, "--margin", "3"));
    expect(error.message).toContain("several runs: found one run");
    await failureOf(UsageError, () => report(run, run, "--csv", "--margin", "3"));
  });

  it.each(
    [["--margin", "x"], ["--margin", "-1"], ["--md", "--csv"], ["--md", "--out", "x"], []].map((flags) => [flags]),
  )("refuses %j", async (flags) => {
    const quiet = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await expect(report(...(flags.length > 0 ? [run, run] : []), ...flags)).rejects.toMatchObject({ exitCode: 1 });
    quiet.mockRestore();
  });
});
