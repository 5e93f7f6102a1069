import type { AdapterModule, HashedAdapter } from "../../src/adapter/adapter.js";
import { ggmlType } from "../../src/formats/ggml-types.js";
import type { GgufTensor } from "../../src/formats/gguf-reader.js";

const RANK = 2;

function half(name: string, dims: readonly [number, number]): GgufTensor {
  return { name, dims, type: ggmlType(0)!, offset: 0, byteLength: 4 * dims[0] * dims[1] };
}

/** A module of an adapter that lies in no file: 4 inputs and outputs, rank 2, 64 bytes. */
export function moduleAt(layer: number | "embedding" | "output", module = "attn_q"): AdapterModule {
  const name =
    layer === "embedding"
      ? "token_embd.weight"
      : layer === "output"
        ? "output.weight"
        : `blk.${layer}.${module}.weight`;
  return {
    name,
    place: typeof layer === "number" ? "block" : layer,
    layer: typeof layer === "number" ? layer : undefined,
    module: typeof layer === "number" ? module : layer === "embedding" ? "token_embd" : "output",
    rank: RANK,
    a: half(`${name}.lora_a`, [4, RANK]),
    b: half(`${name}.lora_b`, [RANK, 4]),
  };
}

/** An adapter that lies in no file. */
export function adapterWith(modules: readonly AdapterModule[]): HashedAdapter {
  const layers = modules.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
  return {
    path: "adapter.gguf",
    givenPath: "adapter.gguf",
    sha256: "ad",
    architecture: "llama",
    alpha: 8,
    metadata: new Map(),
    modules,
    coverage: [...new Set(layers)].sort((a, b) => a - b),
    byteLength: 1000,
    stamp: { path: "adapter.gguf", content: "", changed: 0n },
    sources: [],
  };
}
