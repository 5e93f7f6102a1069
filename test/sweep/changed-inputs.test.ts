import { copyFile, open, readdir, readFile, truncate, utimes } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { InputChangedError } from "../../src/errors.js";
import { sweep, type SweepHooks } from "../../src/sweep/sweep.js";
import type { SweepResult } from "../../src/run/result.js";
import { failureOf } from "../support/failure.js";
import { ENGINE_START_MS, writeSweepFixture, type SweepFixture } from "../support/sweep-fixture.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rowsOf, tinySweep } from "../support/tiny-sweep.js";

const folder = temporaryFolder();
let fixture: SweepFixture;
let whole: SweepResult;
let right: Map<string, string>;

interface Row {
  readonly key: string;
  readonly tokens: readonly number[];
}

async function journalOf(out: string): Promise<Map<string, string>> {
  const rows = await rowsOf<Row>(join(out, "journal.jsonl"));
  return new Map(rows.map(({ key, tokens }) => [key, tokens.join(" ")]));
}

/** What a result says, less the paths and the command that stand in it. */
function evidenceOf({ candidates, choice, confirmation, verdict, model, adapter }: SweepResult): unknown {
  return { candidates, choice, confirmation, verdict, hashes: [model.sha256, adapter.sha256] };
}

beforeAll(async () => {
  fixture = await writeSweepFixture(folder.path);
  const out = join(folder.path, "whole");
  whole = await sweep(tinySweep(fixture, out, {}));
  right = await journalOf(out);
}, ENGINE_START_MS);

/** Bytes in the middle of a file's tensor data, written where they stand: the time of writing says so, nothing else does. */
async function writeInPlace(path: string): Promise<void> {
  const file = await open(path, "r+");
  const { size } = await file.stat();
  const start = Math.floor(size / 2) & ~3;
  const noise = Float32Array.from({ length: Math.floor((size - start) / 8) }, (_, i) => Math.sin(i));
  await file.write(new Uint8Array(noise.buffer), 0, noise.byteLength, start);
  await file.close();
}

/** Does something after so many answers. */
function after(answers: number, act: () => Promise<void>): SweepHooks & { acted: () => Promise<void> } {
  let acting: Promise<void> | undefined;
  return {
    onProgress: ({ done }) => {
      if (done === answers) acting = act();
    },
    acted: async () => {
      expect(acting).toBeDefined();
      await acting;
    },
  };
}

describe("a sweep whose inputs change meanwhile", () => {
  it.each<[string, "model" | "adapter", (path: string) => Promise<void>]>([
    ["is written in place", "model", writeInPlace],
    ["is cut short", "model", (path) => truncate(path, 4096)],
    ["is written in place", "adapter", writeInPlace],
  ])(
    "ends with an error that names the file, and keeps no answer given after it: %s, %s",
    async (words, which, change) => {
      const out = join(folder.path, `${which} ${words}`);
      const own = { ...fixture, [which]: join(folder.path, `own-${which}-${words}.gguf`) };
      await copyFile(fixture[which], own[which]);
      const hooks = after(9, () => change(own[which]));
      const error = await failureOf(InputChangedError, () => sweep(tinySweep(own, out, {}), hooks));
      await hooks.acted();
      expect(error.path).toBe(own[which]);
      expect(error.exitCode).toBe(1);
      expect(error.message).toMatch(
        /changed while it was in use: found SHA-256 .* expected SHA-256 .* as at the start/,
      );
      const kept = await journalOf(out);
      expect(kept.size).toBeGreaterThanOrEqual(9);
      expect([...kept].filter(([key, tokens]) => right.get(key) !== tokens)).toEqual([]);
      expect((await readdir(out)).sort()).toEqual(["journal.jsonl", "run.json"]);

      await copyFile(fixture[which], own[which]);
      const resumed = await sweep(tinySweep(own, out, {}));
      expect(resumed.timings.answersReused).toBe(kept.size);
      expect(await journalOf(out)).toEqual(right);
      expect(evidenceOf(resumed)).toEqual(evidenceOf(whole));
    },
    ENGINE_START_MS,
  );

  it(
    "goes on where a file was only touched",
    async () => {
      const out = join(folder.path, "touched");
      const hooks = after(9, () => utimes(fixture.adapter, 1, 1));
      const result = await sweep(tinySweep(fixture, out, {}), hooks);
      await hooks.acted();
      expect(result.candidates).toEqual(whole.candidates);
      expect(await journalOf(out)).toEqual(right);
      const [trimmed, expected] = await Promise.all(
        ["touched", "whole"].map((run) => readFile(join(folder.path, run, "trimmed.gguf"))),
      );
      expect(trimmed?.length).toBe(expected?.length);
    },
    ENGINE_START_MS,
  );
});
