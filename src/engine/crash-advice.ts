/** What to do after a crash, as far as its signal or its last lines tell. */
export function adviceAfter(signal: NodeJS.Signals | null, lines: readonly string[]): string {
  if (lines.some((line) => /CUDA error: the provided PTX was compiled with an unsupported toolchain/.test(line))) {
    return "The NVIDIA driver is older than what llama.cpp's CUDA build needs: update it, or pass --gpu vulkan or --gpu off.";
  }
  const memory = signal === "SIGKILL" ? " SIGKILL mostly means that memory ran out." : "";
  return `Finished answers are in the journal: run the same command again.${memory}`;
}
