import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** What the tests find out about adapters is kept from the user's own cache folder, and from the next run. */
const env = { XDG_CACHE_HOME: join(tmpdir(), `boundary-tests-${process.pid}`) };

/** `fast` needs neither network nor a real model; `model` drives the real model of the workbench and skips without it. */
export default defineConfig({
  test: {
    // Engines of the tests take one thread each, so two files at a time fit two cores; more would starve llama.cpp's spinning threads.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/model/**"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          setupFiles: ["test/support/flag-names.ts"],
          env,
        },
      },
      {
        test: {
          name: "model",
          include: ["test/model/**/*.test.ts"],
          testTimeout: 1_800_000,
          setupFiles: ["test/support/flag-names.ts"],
          env,
        },
      },
    ],
  },
});
