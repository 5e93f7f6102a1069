import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { finished } from "../support/cli.js";
import { ENGINE_START_MS } from "../support/sweep-fixture.js";
import { HURRY } from "./hurried.js";
import { hasRedis, skippedWithoutRedis } from "./redis-server.js";

const bench = fileURLToPath(new URL("../../eval/bench/queue-attack.mjs", import.meta.url));

describe.skipIf(!hasRedis)(`a queue attacked by a client without its key ${skippedWithoutRedis}`, () => {
  it(
    "ends in the result of a local run, with its workers, within its memory and its cache",
    async () => {
      const { code, stdout, stderr } = await finished(spawn(process.execPath, [bench, "60", "7", String(HURRY)]));
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toContain("the result is the local one");
    },
    2 * ENGINE_START_MS,
  );
});
