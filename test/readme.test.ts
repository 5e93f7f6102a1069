import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

it("the README's library example runs as it stands", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
  if (example === undefined) throw new Error("the README has no example in a js block");
  await rm(join(root, "runs/library-example"), { recursive: true, force: true });
  await mkdir(join(root, "runs"), { recursive: true });
  // Inside the package its own name resolves through `exports`, as it does for a user.
  const file = join(root, "runs/readme-example.mjs");
  await writeFile(file, example);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: root, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/K=\d: \S+/);
});

it("every option that the README names exists", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const help = ["sweep", "trim", "report", "doctor"].map((command) => {
    return spawnSync(process.execPath, [join(root, "dist/cli/main.js"), command, "--help"], { encoding: "utf8" })
      .stdout;
  });
  const foreign = new Set(["--lora", "--help"]);
  const named = [...readme.matchAll(/(?<=[\s`"])--[a-z][a-z-]+/g)]
    .map(([flag]) => flag)
    .filter((flag) => !foreign.has(flag));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((flag) => !help.some((text) => text.includes(flag)))).toEqual([]);
});
