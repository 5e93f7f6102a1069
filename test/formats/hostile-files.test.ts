import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("390 of the mutated files of eval/hostile-files.mjs are read or refused, none hangs", () => {
  const script = fileURLToPath(new URL("../../eval/hostile-files.mjs", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--count", "390"], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/390 files from seed 1: \d+ read, \d+ refused, 0 defects, 0 hangs over 5 s, 0 crashes/);
});
