import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { AdapterError, FormatError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { writeTinyAdapter } from "../support/tiny-model.js";

const folder = temporaryFolder();

it("an adapter with damaged header bytes is read or refused, never anything else, and quickly", async () => {
  const source = await writeTinyAdapter(folder.path, "lora.gguf", { architecture: "llama", coverage: [0, 3], rank: 1 });
  const whole = await readFile(source);
  const headerBytes = (await loadGgufAdapter(source)).modules[0]!.a.offset;
  const path = join(folder.path, "mutated.gguf");
  const ends = { read: 0, refused: 0 };
  const mutation = fc.tuple(fc.nat({ max: headerBytes - 1 }), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 2 }), async (mutations) => {
      const bytes = Buffer.from(whole);
      for (const [at, flip] of mutations) bytes[at] = bytes[at]! ^ flip;
      await writeFile(path, bytes);
      try {
        await loadGgufAdapter(path);
        ends.read += 1;
      } catch (error) {
        if (!(error instanceof FormatError || error instanceof AdapterError)) throw error;
        expect(error.message.length).toBeLessThan(2000);
        ends.refused += 1;
      }
    }),
    { numRuns: 2000, seed: 11 },
  );
  // Both ends must have been seen, or the mutations would test nothing.
  expect(ends.read).toBeGreaterThan(15);
  expect(ends.refused).toBeGreaterThan(500);
}, 30_000);
