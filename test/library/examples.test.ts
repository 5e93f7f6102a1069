import { spawnSync } from "node:child_process";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { sweepResultSchema } from "../../src/run/result.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = temporaryFolder();

it("the examples of docs/library.md run as they stand, in a folder that has nothing but the package", async () => {
  const at = (name: string): string => join(folder.path, name);
  await mkdir(at("node_modules/.bin"), { recursive: true });
  await symlink(root, at("node_modules/lora-boundary"));
  await symlink(join(root, "dist/cli/main.js"), at("node_modules/.bin/boundary"));
  const { status, stdout } = spawnSync(process.execPath, [join(root, "eval/library-examples.mjs"), folder.path, "1"], {
    encoding: "utf8",
  });
  expect(status, stdout).toBe(0);

  const resultOf = async (name: string) =>
    sweepResultSchema.parse(JSON.parse(await readFile(at(`runs/${name}/result.json`), "utf8")));
  const byMetric = await resultOf("metric");
  expect([byMetric.metric, byMetric.labels["first-word"]]).toEqual(["first-word", "First word"]);
  expect(byMetric.command).toContain("--import ./first-word.mjs");
  const full = byMetric.candidates.at(-1)?.selection?.scores["first-word"];
  expect(full?.value).toBeGreaterThan(50);
  expect(full?.method).toBe("Wilson score interval");

  const byTask = await resultOf("task");
  expect([byTask.data.format, byTask.metric, byTask.data.selection.length]).toEqual(["custom", "contains", 15]);
  expect(byTask.candidates.at(-1)?.selection?.scores["em"]?.signature).toContain("extract:task%20quiz");

  const byStrategy = await resultOf("strategy");
  expect(byStrategy.strategy).toMatchObject({ name: "every:2", nested: false });
  expect(byStrategy.candidates.map(({ name }) => name)).toEqual(["base", "every 2 from 0", "every 2 from 1", "full"]);

  const byRule = await resultOf("rule");
  expect(byRule.choice.rule).toBe("ninety-percent");
  expect(byRule.choice.reasons[0]).toContain("is the smallest K with nine tenths of the full adapter's contains");
  expect(stdout).toMatch(/56 modules; \d+ answers; the last: /);
}, 180_000);
