/** What to do after a crash, as far as its signal or its last lines tell. */
export function adviceAfter(signal: NodeJS.Signals | null, lines: readonly string[]): string {
  if (lines.some((line) => /CUDA error: the provided PTX was compiled with an unsupported toolchain/.test(line))) {
    return "The NVIDIA driver is older than what llama.cpp's CUDA build needs: update it, or pass --gpu vulkan or --gpu off.";
  }
  if (lines.some((line) => line.includes("GGML_ASSERT(a->op == GGML_OP_MUL_MAT) failed"))) {
    return "llama.cpp v0.4.0 cannot apply LoRA to attn_output and ffn_down of glm4, glm4moe and jais2 models; v0.5.0 can (node-llama-cpp 3.22.1). Trim these modules off, or merge the adapter into the model (boundary merge).";
  }
  const memory = signal === "SIGKILL" ? " SIGKILL mostly means that memory ran out." : "";
  return `Finished answers are in the journal: run the same command again.${memory}`;
}
