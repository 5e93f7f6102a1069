import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const common = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  globalSetup: ["test/support/current-build.ts"],
  setupFiles: ["test/support/flag-names.ts"],
  // What the tests find out about adapters is kept from the user's own cache folder, and from the next run.
  env: { XDG_CACHE_HOME: join(tmpdir(), `boundary-tests-${process.pid}`) },
};

/** They replace modules, change the environment or register names, so each gets a process of its own. */
const alone = [
  "test/cli/{adapters,bad-input,compare,resume,score}.test.ts",
  "test/compare/{compare,strategies}.test.ts",
  "test/library/**/*.test.ts",
  "test/probe/{advise,card,exact-run}.test.ts",
  "test/report/{html-command,paint,terminal}.test.ts",
  "test/sweep/{changed-inputs,config,nothing-twice,rescore,strategies,sweep,sweep-choice,sweep-race,tasks}.test.ts",
  "test/vote/page/serve-votes.test.ts",
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
      { test: { name: "queue", include: queue, ...common } },
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
      { test: { name: "browser", include: browser, ...common } },
      { test: { name: "model", include: ["test/model/**/*.test.ts"], ...common, testTimeout: 1_800_000 } },
    ],
  },
});
