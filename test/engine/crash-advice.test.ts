import { expect, it } from "vitest";
import { adviceAfter } from "../../src/engine/crash-advice.js";

it("after a crash goes by what the engine said, and speaks of memory after SIGKILL alone", () => {
  const driver = adviceAfter("SIGABRT", [
    "[error] CUDA error: the provided PTX was compiled with an unsupported toolchain.",
    "[error]   current device: 0, in function ggml_cuda_kernel_can_use_pdl",
  ]);
  expect(driver).toContain("update it, or pass --gpu vulkan or --gpu off");
  const precision = ["ggml.c:3310: GGML_ASSERT(a->op == GGML_OP_MUL_MAT) failed"];
  expect(adviceAfter("SIGABRT", precision)).toMatch(/v0\.4\.0 cannot apply LoRA.*glm4.*boundary merge/);
  expect(adviceAfter("SIGKILL", [])).toContain("memory");
  expect(adviceAfter("SIGABRT", ["GGML_ASSERT(n > 0) failed"])).not.toContain("memory");
});
