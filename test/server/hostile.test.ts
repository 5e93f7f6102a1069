import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const bench = fileURLToPath(new URL("../../eval/bench/serve-hostile.mjs", import.meta.url));
const REQUESTS = 60;
/** Milliseconds; the server starts within them too. */
const TIMEOUT = 120_000;

it(
  "answers hostile requests in time and in OpenAI's shape, and normal ones in their middle: a slice of the benchmark",
  async () => {
    // The bounds on times are for an idle machine.
    const env = { ...process.env, PATIENCE: "10" };
    const run = promisify(execFile)(process.execPath, [bench, String(REQUESTS), "3"], { env, timeout: TIMEOUT });
    const output = await run.then(
      ({ stdout }) => stdout,
      (error: unknown) => (error instanceof Error && "stdout" in error ? String(error.stdout) : String(error)),
    );
    expect(output).toContain("Every bound held.");
  },
  TIMEOUT,
);
