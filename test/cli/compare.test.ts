import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { comparisonSchema } from "../../src/compare/result.js";
import { sweep } from "../../src/sweep/sweep.js";
import { callCli } from "../support/command.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
let fixture: SweepFixture;
/** Flags that compare the finished run's full adapter with its chosen boundary. */
let ofRun: string[];

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
  const run = join(folder.path, "run");
  await sweep(tinySweep(fixture, run, { rule: "paper" }));
  ofRun = ["--against", `${run}#full`, "--against", `${run}#chosen`];
}, ENGINE_START_MS);

const args = (...more: string[]): string[] => ["compare", ...ofRun, "--metrics", "contains-plain,em", ...more];

describe("boundary compare", () => {
  it("answers with the model that it is given, and follows each system on stderr", async () => {
    const { model, adapter, data } = fixture;
    const flags = ["--gpu", "off", "--threads", "1", "--max-tokens", "4", "--sequences", "4", "--limit", "4"];
    const systems = ["--against", "base", "--against", "K=2"];
    const { code, stdout, stderr } = await callCli([
      ...["compare", "--model", model, "--adapter", adapter, "--data", data, ...systems, ...flags],
    ]);
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n")).toEqual(["full: 4/4 answers", "base: 4/4 answers", "K=2: 4/4 answers"]);
    expect(stdout).toMatch(/^4 samples$/m);
    expect(stdout).toMatch(/^Against full, paired$/m);
    const quiet = await callCli([
      ...["compare", "--model", model, "--adapter", adapter, "--data", data, ...systems, ...flags, "--quiet"],
    ]);
    expect([quiet.code, quiet.stderr]).toEqual([0, ""]);
  });

  it("with --json is one document and nothing else", async () => {
    const { code, stdout, stderr } = await callCli(args("--json", "--show", "1"));
    expect([code, stderr]).toEqual([0, ""]);
    const result = comparisonSchema.parse(JSON.parse(stdout));
    expect(result.systems.map(({ name }) => name)).toEqual(["run#full", "run#chosen"]);
    expect(Object.keys(result.labels).sort()).toEqual(["contains-plain", "em"]);
    expect(result.changed.length).toBeLessThanOrEqual(1);
  });

  it("of a run refuses to judge a system that it does not have, rather than judge the others alone", async () => {
    const judged = ["judge", join(folder.path, "run"), "--judge", "x@http://127.0.0.1:1/v1", "--systems", "full,chosn"];
    const { code, stderr } = await callCli(judged);
    expect([code, stderr]).toEqual([2, expect.stringContaining('a run does not have: found "chosn"')]);
  });

  it("with --md is Markdown for a pull request", async () => {
    const { code, stdout } = await callCli(args("--md"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\*\*5 samples\*\*/);
    expect(stdout).toMatch(/^\| system \| contains \(plain\) \| EM \| adapter bytes \|$/m);
    expect(stdout).toMatch(/^\| run#chosen - run#full \| EM \| 0\.0 \|/m);
  });

  it("exits with 1, as a process does, when a condition of --fail-if holds, and says which", async () => {
    const flags = ["--fail-if", "em <= run#full + 0", "--fail-if", "em > 100"];
    const failing = await callCli(args(...flags));
    expect(failing.code).toBe(1);
    expect(
      failing.stdout
        .trimEnd()
        .split("\n")
        .filter((line) => line.startsWith("FAILED")),
    ).toEqual(["FAILED: em <= run#full + 0"]);
    const passing = await callCli(args("--fail-if", "em < run#full - 1.0"));
    expect([passing.code, passing.stdout.includes("FAILED")]).toEqual([0, false]);
    const markdown = await callCli(args("--fail-if", "em >= 0", "--md"));
    expect([markdown.code, markdown.stdout.includes("**Failed:** `em >= 0`")]).toEqual([1, true]);
  });

  it.each([
    [["compare"], /--against is missing.*`boundary compare --help`/],
    [["compare", "--against", "base"], /nothing to compare with/],
    [["compare", "--against", "full", "--against", "base"], /says nothing without an adapter/],
    [["compare", "--agianst", "base"], /--against/],
    [["compare", "--against", "a.gguf", "--against", "base"], /the model, an adapter or the data are missing/],
    [["compare", "--against", "a#full", "--against", "b#full", "--qa-script", "mine"], /auto, squad, squad2, hotpotqa/],
    [["compare", "--against", "a#full", "--against", "b#full", "--show", "few"], /whole number/],
  ])("refuses %j", async (call, message) => {
    const { code, stdout, stderr } = await callCli(call);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });

  it("refuses a condition that cannot be read", async () => {
    const { code, stderr } = await callCli(args("--fail-if", "em is bad"));
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('the condition of --fail-if cannot be read: found "em is bad"'),
    ]);
  });
});
