/** Whether llama.cpp is called directly on this platform: see `src/engine/direct`. */
export const hasDirectCalls = process.platform === "linux" && process.arch === "x64";
/** What the title of a test says that needs direct calls. */
export const skippedWithoutDirectCalls = hasDirectCalls
  ? ""
  : `(skipped: direct calls are known on linux x64, this is ${process.platform} ${process.arch})`;
