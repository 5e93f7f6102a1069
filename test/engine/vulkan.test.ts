import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadGgufAdapter } from "../../src/adapter/load-gguf-adapter.js";
import { boundaryMask, type Mask } from "../../src/adapter/mask.js";
import { piecesOf, writePieces, type Piece } from "../../src/adapter/pieces.js";
import type { Engine } from "../../src/engine/engine.js";
import type { ContextShape } from "../../src/engine/layer-passes.js";
import { openEngine, probeBackend } from "../../src/engine/process-engine.js";
import { logProbabilities } from "../support/log-probabilities.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const demo = (name: string): string => fileURLToPath(new URL(`../../eval/demo/${name}`, import.meta.url));
const context: ContextShape = {
  sequences: 2,
  contextSize: 512,
  batchSize: 512,
  cacheType: "F16",
  flashAttention: "auto",
};
/** The boundaries compared: base, some of the adapter, all of it. */
const boundaries = [0, 3, 8];
/** Largest difference in log-probability between the backends, in nats: half-precision kernels round differently. */
const TOLERANCE = 2e-2;

// Debian's mesa-vulkan-drivers bring a software GPU, which is hidden unless it is named.
process.env["GGML_VK_VISIBLE_DEVICES"] ??= "0";
// Its half-precision arithmetic alone is off by up to 0.08 nat; in F32 the rest is within 0.011.
process.env["GGML_VK_DISABLE_F16"] = "1";
const vulkan = await probeBackend("vulkan").catch(() => undefined);
const title = vulkan
  ? `on ${vulkan.devices.join(", ")}`
  : "(skipped: no Vulkan device here; Debian's mesa-vulkan-drivers is one)";

describe.skipIf(!vulkan)(`the demo model on a GPU ${title}`, () => {
  const folder = temporaryFolder();
  let gpu: Engine;
  let cpu: Engine;
  let masks: Mask[];
  let pieces: Piece[];

  beforeAll(async () => {
    const adapter = await loadGgufAdapter(demo("adapter.gguf"));
    masks = boundaries.map((boundary) => boundaryMask(adapter.modules, 8, boundary));
    pieces = await writePieces(adapter, masks, folder.path);
    cpu = await openEngine({ modelPath: demo("model.gguf"), gpu: "off", gpuLayers: 0, threads: 1 });
    gpu = await openEngine({ modelPath: demo("model.gguf"), gpu: "vulkan", gpuLayers: "max" });
  });
  afterAll(async () => {
    await cpu.close();
    await gpu.close();
  });

  it("offloads every layer", () => {
    expect(gpu.info.backend).toBe("vulkan");
    expect(gpu.info.gpuLayers).toBeGreaterThanOrEqual(8);
    expect(cpu.info.backend).toBe("cpu");
  });

  it(`gives the CPU's log-probabilities within ${TOLERANCE} nat under every mask, and the masks differ`, async () => {
    const prompt =
      "<|im_start|>user\nAnswer the question with a short span from the context.\n\nContext: Calva keeps a rabbit. Borida lives in Torholm. Sorlo is the owner of a horn pipe.\n\nQuestion: Which thing does Sorlo own?<|im_end|>\n<|im_start|>assistant\n";
    const [tokens = []] = await cpu.tokenize([prompt]);
    const tops = new Set<string>();
    for (const mask of masks) {
      const request = { pieces: piecesOf(mask, pieces), context, tokens };
      const [onCpu, onGpu] = [
        logProbabilities(await cpu.nextTokenLogits(request)),
        logProbabilities(await gpu.nextTokenLogits(request)),
      ];
      expect(onGpu).toHaveLength(onCpu.length);
      const worst = Math.max(...onCpu.map((value, i) => Math.abs(value - (onGpu[i] ?? Number.NaN))));
      expect(worst).toBeLessThan(TOLERANCE);
      tops.add(
        onGpu
          .slice(0, 8)
          .map((value) => value.toFixed(2))
          .join(),
      );
    }
    expect(tops.size).toBe(masks.length);
  });
});
