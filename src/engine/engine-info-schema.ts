import { z } from "zod";

/** {@link EngineInfo} as files and messages hold it. */
export const engineInfoSchema = z.strictObject({
  backend: z.enum(["cpu", "cuda", "metal", "vulkan"]),
  /** Who called llama_decode, in results of version 0.1. */
  calls: z.enum(["direct", "node"]).optional(),
  devices: z.array(z.string()),
  gpuLayers: z.number().int(),
  threads: z.number().int(),
  llamaCpp: z.string(),
  nodeLlamaCpp: z.string(),
  vocabulary: z.number().int(),
});
