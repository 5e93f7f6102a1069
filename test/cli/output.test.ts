import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** Who writes past the place that escapes what comes from outside. The engine's own process writes to a pipe that its parent keeps. */
const ALLOWED = ["cli/output.ts", "engine/host-session.ts", "engine/host.ts"];

describe("what is printed", () => {
  it("goes through one place, and colours come from one other", () => {
    const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !name.startsWith(join("server", "playground", "browser")),
    );
    expect(files.length).toBeGreaterThan(200);
    const sources = files.map((name) => [name.replaceAll("\\", "/"), readFileSync(join(src, name), "utf8")] as const);
    const writers = sources
      .filter(([, text]) => /process\.(stdout|stderr)|\bconsole\./.test(text))
      .map(([name]) => name);
    expect(writers.sort()).toEqual(ALLOWED);
    const painters = sources.filter(([, text]) => /picocolors|\\u001b\[|\\x1b\[/.test(text)).map(([name]) => name);
    expect(painters.sort()).toEqual(["cli/output.ts", "report/paint.ts"]);
  });
});
