import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const common = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  globalSetup: ["test/support/current-build.ts"],
  setupFiles: ["test/support/flag-names.ts", "test/support/idle-engines.ts"],
  // What the tests find out about adapters is kept from the user's own cache folder, and from the next run.
  env: {
    XDG_CACHE_HOME: join(tmpdir(), `boundary-tests-${process.pid}`),
    // The software GPU takes longer to compile its shaders than to do its tests: they outlast a run.
    MESA_SHADER_CACHE_DIR: fileURLToPath(new URL("node_modules/.cache/mesa", import.meta.url)),
  },
};

/** They replace modules, change the environment or register names, so each gets a process of its own. */
const alone = [
  "test/library/**/*.test.ts",
  "test/report/{paint,terminal}.test.ts",
  "test/sweep/{config,nothing-twice}.test.ts",
];
/** They want a Redis server or a browser, and skip without. */
const queue = ["test/queue/**/*.test.ts"];
const browser = ["test/browser/**/*.test.ts"];

/** Only `model` needs a real model: that of the workbench. It skips without. */
export default defineConfig({
  test: {
    // Engines of the tests take one thread each, so two files at a time fit two cores; more would starve llama.cpp's spinning threads.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: "queue",
          include: queue,
          isolate: false,
          ...common,
          setupFiles: [...common.setupFiles, "test/queue/hurried.ts"],
        },
      },
      { test: { name: "alone", include: alone, ...common } },
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/model/**", ...queue, ...browser, ...alone],
          isolate: false,
          ...common,
        },
      },
      { test: { name: "browser", include: browser, isolate: false, ...common } },
      { test: { name: "model", include: ["test/model/**/*.test.ts"], ...common, testTimeout: 1_800_000 } },
    ],
  },
});
