import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("errors name options to those who call the library, and flags on the command line", () => {
  const script = `
    import { resolveConfig, UsageError } from "lora-boundary";
    try { resolveConfig({ model: "a", adapter: "b", data: "c", out: "d", maxTokens: -1 }); } catch (error) { console.log(error.message); console.log(error.parts.what); }
    console.log(new UsageError({ what: "x", fix: "Take another --out, or run \`boundary sweep --fresh\`." }).message);`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: root,
    encoding: "utf8",
  });
  expect(stdout).toContain("`maxTokens` is -1: ");
  expect(stdout).not.toContain("--max-tokens");
  expect(stdout).toContain("Take another `out`, or run `boundary sweep --fresh`.");
  const cli = [
    "dist/cli/main.js",
    "sweep",
    "--model",
    "a",
    "--adapter",
    "b",
    "--data",
    "c",
    "--out",
    "d",
    "--max-tokens",
    "0",
  ];
  const { stderr, status } = spawnSync(process.execPath, cli, { cwd: root, encoding: "utf8" });
  expect([stderr, status]).toEqual([expect.stringContaining("--max-tokens is 0: "), 2]);
});
