import type { BackendInfo, GpuChoice } from "./engine.js";

/** Names under which CPUs pose as GPUs. */
const SOFTWARE_DEVICE = /llvmpipe|lavapipe|swiftshader/i;

/**
 * Whether a backend has nothing to compute on but this machine's CPU: a Vulkan loader without any driver, or with one that renders in
 * software. The CPU backend itself is several times as fast.
 */
export function isWithoutGpu({ backend, devices }: Pick<BackendInfo, "backend" | "devices">): boolean {
  return backend !== "cpu" && devices.every((name) => SOFTWARE_DEVICE.test(name));
}

/** The choice that names a backend. */
export function choiceOf(backend: BackendInfo["backend"]): GpuChoice {
  return backend === "cpu" ? "off" : backend;
}
