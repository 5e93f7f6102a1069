import { defineConfig } from "vitest/config";

/** `fast` needs neither network nor a real model; `model` drives the real model of the workbench and skips without it. */
export default defineConfig({
  test: {
    // Two busy processes on two cores slow llama.cpp's spinning threads by an order of magnitude: one file at a time.
    fileParallelism: false,
    projects: [
      { test: { name: "fast", include: ["test/**/*.test.ts"], exclude: ["test/model/**"], testTimeout: 60_000 } },
      { test: { name: "model", include: ["test/model/**/*.test.ts"], testTimeout: 1_800_000 } },
    ],
  },
});
