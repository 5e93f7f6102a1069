import { describe, expect, it } from "vitest";
import { choiceOf, isWithoutGpu } from "../../src/engine/gpu-choice.js";
import { probeBackend, resolveGpu } from "../../src/engine/process-engine.js";

describe("a backend that has nothing but the CPU", () => {
  it("is one without a device, or with software devices alone", () => {
    expect(isWithoutGpu({ backend: "vulkan", devices: [] })).toBe(true);
    expect(isWithoutGpu({ backend: "vulkan", devices: ["llvmpipe (LLVM 15.0.6, 256 bits)"] })).toBe(true);
    expect(isWithoutGpu({ backend: "vulkan", devices: ["SwiftShader Device", "NVIDIA GeForce RTX 4090"] })).toBe(false);
    expect(isWithoutGpu({ backend: "cuda", devices: ["NVIDIA GeForce RTX 4090"] })).toBe(false);
    expect(isWithoutGpu({ backend: "cpu", devices: [] })).toBe(false);
  });

  it("is never what auto stands for", async () => {
    const info = await probeBackend("auto");
    expect(isWithoutGpu(info)).toBe(false);
    expect(await resolveGpu("auto")).toBe(choiceOf(info.backend));
    expect(await resolveGpu("vulkan")).toBe("vulkan");
  });
});
