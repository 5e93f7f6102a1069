import { moduleBytes, type Adapter } from "../adapter/adapter.js";
import type { BaseModel } from "../adapter/base-model.js";
import { readGgufHeader } from "../formats/gguf-reader.js";

/** What a layer takes up. */
export interface LayerStorage {
  readonly parameters: number;
  /** Of tensor data, in the types of the file. */
  readonly bytes: number;
}

/** Every layer of a base model, norms and biases included, from layer 0. @throws FileError, FormatError when a file cannot be read. */
export async function baseStorage({ files, layerCount }: BaseModel): Promise<LayerStorage[]> {
  const layers = Array.from({ length: layerCount }, () => ({ parameters: 0, bytes: 0 }));
  for (const file of files) {
    for (const { name, dims, byteLength } of (await readGgufHeader(file)).tensors) {
      const ofLayer = layers[Number(/^blk\.(\d+)\./.exec(name)?.[1])];
      if (!ofLayer) continue;
      ofLayer.parameters += elements(dims);
      ofLayer.bytes += byteLength;
    }
  }
  return layers;
}

/** What the adapter has in a layer; undefined where it has nothing. */
export function adapterStorage({ modules }: Adapter, layer: number): LayerStorage | undefined {
  const ofLayer = modules.filter((module) => module.layer === layer);
  if (ofLayer.length === 0) return undefined;
  return {
    parameters: ofLayer.reduce((sum, { a, b }) => sum + elements(a.dims) + elements(b.dims), 0),
    bytes: ofLayer.reduce((sum, module) => sum + moduleBytes(module), 0),
  };
}

function elements(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}
