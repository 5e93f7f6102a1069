import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const isCheckout = existsSync(join(root, ".git"));

describe.skipIf(!isCheckout)(`the patches of docs/patches ${isCheckout ? "" : "(skipped: not a git checkout)"}`, () => {
  const patches = readdirSync(join(root, "docs/patches"));

  it("are those that the pages speak of", () => {
    expect(patches).toEqual(["add-engine-method.patch", "add-metric.patch"]);
  });

  it.each(patches)("%s still applies", (patch) => {
    const { status, stderr } = spawnSync("git", ["apply", "--check", join("docs/patches", patch)], {
      cwd: root,
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
  });
});
