import { GgufInsights, readGgufFileInfo, type Llama } from "node-llama-cpp";
import type { EngineOptions } from "./engine.js";

/**
 * How many of a model's layers go on the GPU, the output head counted as one more: as many as asked for, at most all; `auto` takes those that
 * fit into its memory, by node-llama-cpp's estimate. 0 on the CPU.
 */
export async function layersOnGpu(
  llama: Llama,
  { modelPath, gpuLayers }: Pick<EngineOptions, "modelPath" | "gpuLayers">,
): Promise<number> {
  if (llama.gpu === false || gpuLayers === 0) return 0;
  const insights = await GgufInsights.from(await readGgufFileInfo(modelPath), llama);
  if (gpuLayers === "max") return insights.totalLayers;
  if (gpuLayers !== "auto") return Math.min(gpuLayers, insights.totalLayers);
  const fitting = await insights.configurationResolver.resolveModelGpuLayersV2("auto", { useMmap: "auto" });
  return fitting.gpuLayers;
}
