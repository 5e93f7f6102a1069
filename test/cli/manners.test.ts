import { spawn } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { defined } from "../../src/assert.js";
import { exists } from "../../src/files/atomic-file.js";
import { finished, startCli } from "../support/cli.js";
import { sweepArguments, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);
const plain = fileURLToPath(new URL("../oracle/fixtures/llama/plain", import.meta.url));
const entry = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Writes the plain adapter with another configuration. */
async function adapterWith(name: string, changes: Readonly<Record<string, unknown>>): Promise<string> {
  await cp(plain, at(name), { recursive: true });
  const config = join(at(name), "adapter_config.json");
  const known = JSON.parse(await readFile(config, "utf8")) as Record<string, unknown>;
  await writeFile(config, JSON.stringify({ ...known, ...changes }));
  return at(name);
}

describe("a command that writes where nobody reads", () => {
  it.runIf(process.platform === "linux")("says that the disk is full, and fails", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [entry, "inspect", plain], { stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    const { code, stderr } = await finished(child);
    expect([code, stderr]).toEqual([1, "error: cannot write to standard output: no space left on the disk.\n"]);
  });
});

describe("a hostile adapter", () => {
  it("is refused in seconds by a process of its own, and does not colour the terminal", async () => {
    const path = await adapterWith("redos", {
      target_modules: "([a-z_0-9.]+)+!",
      base_model_name_or_path: "\u001b]0;owned\u0007\u001b[2J",
    });
    const started = performance.now();
    const { code, stdout, stderr } = await finished(startCli(["inspect", path]));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: .* takes longer than 2 s to match the module names: found "\(\[a-z_0-9.\]\+\)\+!"/);
    expect(performance.now() - started).toBeLessThan(15_000);
    const named = await adapterWith("named", { base_model_name_or_path: "\u001b]0;owned\u0007\u001b[2J\nforged" });
    const shown = await finished(startCli(["inspect", named], { FORCE_COLOR: "1", NO_COLOR: "" }));
    expect(shown.stdout).not.toContain("\u001b]");
    expect(shown.stdout).not.toContain("\u001b[2J");
    expect(shown.stdout).not.toMatch(/^forged/m);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("leaves a command that ends on %s", async (signal) => {
    const path = await adapterWith(`redos-${signal}`, { target_modules: "([a-z_0-9.]+)+!" });
    const child = startCli(["inspect", path]);
    const ended = new Promise<NodeJS.Signals | null>((resolve) => {
      child.once("close", (_, by) => {
        resolve(by);
      });
    });
    setTimeout(() => child.kill(signal), 300);
    expect(await ended).toBe(signal);
  });
});

describe("a sweep that nobody watches", () => {
  let fixture: SweepFixture;

  beforeAll(async () => {
    fixture = await writeSweepFixture(folder.path);
  });

  it("goes on without its standard error, and without the terminal it was started from", async () => {
    const out = at("unwatched");
    const child = startCli(sweepArguments(fixture, out));
    child.stdout?.resume();
    child.stderr?.destroy();
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    while (!(await exists(join(out, "run.json"))) && child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // To the whole group, as when a terminal closes: the engine's process too.
    process.kill(-defined(child.pid, "the number of a process"), "SIGHUP");
    expect(await ended).toBe(0);
    expect(await exists(join(out, "result.json"))).toBe(true);
  });
});
