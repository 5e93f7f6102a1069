import type { KnipConfig } from "knip";

const config: KnipConfig = {
  // The engine's process is started by path, and the playground's script is loaded by browsers.
  entry: [
    "src/index.ts!",
    "src/cli/main.ts!",
    "src/engine/host.ts!",
    "src/server/playground/browser/main.ts!",
    "{eval,test}/**/*.mjs",
  ],
  project: ["src/**/*.ts!", "test/**/*.ts", "{eval,test}/**/*.mjs"],
  ignoreExportsUsedInFile: true,
  ignoreBinaries: ["ip", "mount", "openssl", "umount"],
};

export default config;
