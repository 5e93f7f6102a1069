import { z } from "zod";
import { gpuChoices } from "./engine.js";

/** Settings of the engine that every command which opens one takes. */
export const engineSettings = {
  gpu: z.enum(gpuChoices).default("auto").describe("backend; off is the CPU alone"),
  gpuLayers: z
    .union([z.number().int().min(0), z.enum(["auto", "max"])])
    .default("auto")
    .describe("layers of the model put on the GPU"),
  threads: z.number().int().positive().optional().describe("CPU threads (default: the cores that are really there)"),
};
