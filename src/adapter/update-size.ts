import { AdapterError } from "../errors.js";
import { canDequantize, dequantize, READABLE_TYPES } from "../formats/dequantize.js";
import { withFileSources, type FileSource } from "../files/file-source.js";
import { readGgufHeader, type GgufTensor } from "../formats/gguf-reader.js";
import type { Adapter } from "./adapter.js";
import { factorGrams, updateNorm, updateSpectralNorm } from "./update-norm.js";
import { factorLayout } from "./update-shape.js";

/** Bytes of a weight that are decoded at a time. */
const CHUNK_BYTES = 8 << 20;

/** How large a module's update s * B * A is beside the weight W that it is added to. */
export interface UpdateSize {
  /** Name of the weight: `blk.0.attn_q.weight`. */
  readonly name: string;
  readonly layer: number | undefined;
  /** ||s B A||_F */
  readonly frobenius: number;
  /** Largest singular value of s B A. */
  readonly spectral: number;
  /** ||W||_F */
  readonly weight: number;
}

/** Of a whole layer: the root of the sum of squares over its modules, divided by the same of their weights. */
export interface LayerUpdateSize {
  readonly layer: number;
  readonly frobenius: number;
  /** The largest of its modules', each divided by its weight's Frobenius norm. */
  readonly spectral: number;
}

/**
 * Sizes of all updates of an adapter.
 * @param adapter as a GGUF file.
 * @throws AdapterError for tensors of types that cannot be read as numbers, or without their weight in the model.
 */
export async function updateSizes(adapter: Adapter, modelPath: string): Promise<UpdateSize[]> {
  const { tensors } = await readGgufHeader(modelPath);
  const weights = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return withFileSources([adapter.path, modelPath], async (sourceOf) => {
    const [adapterSource, base] = [sourceOf(adapter.path), sourceOf(modelPath)];
    const sizes: UpdateSize[] = [];
    for (const module of adapter.modules) {
      const { name, layer, a, b, rank } = module;
      const weight = weights.get(name);
      const unreadable = [a, b, weight].find((tensor) => tensor === undefined || !canDequantize(tensor.type));
      if (!weight || unreadable) {
        throw new AdapterError(adapter.givenPath, {
          what: `the size of the update of ${name} cannot be computed`,
          actual: weight ? `a tensor of type ${unreadable?.type.name ?? "unknown"}` : "no such weight in the model",
          expected: READABLE_TYPES,
        });
      }
      const read = async ({ type, offset, byteLength }: typeof a): Promise<Float32Array> =>
        dequantize(type, await adapterSource.read(offset, byteLength));
      const grams = factorGrams(await read(a), await read(b), factorLayout(module));
      const scale = adapter.alpha / rank;
      sizes.push({
        name,
        layer,
        frobenius: updateNorm(grams, scale),
        spectral: updateSpectralNorm(grams, scale),
        weight: await norm(base, weight),
      });
    }
    return sizes;
  });
}

/** Sizes by layer; modules outside the layers are left out. */
export function layerSizes(sizes: readonly UpdateSize[]): LayerUpdateSize[] {
  const layers = [...new Set(sizes.flatMap(({ layer }) => (layer === undefined ? [] : [layer])))].sort((a, b) => a - b);
  return layers.map((layer) => {
    const ofLayer = sizes.filter((size) => size.layer === layer);
    const root = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    return {
      layer,
      frobenius: root(ofLayer.map(({ frobenius }) => frobenius)) / root(ofLayer.map(({ weight }) => weight)),
      spectral: Math.max(...ofLayer.map(({ spectral, weight }) => spectral / weight)),
    };
  });
}

async function norm(source: FileSource, { type, offset, byteLength }: GgufTensor): Promise<number> {
  const step = CHUNK_BYTES - (CHUNK_BYTES % type.blockBytes);
  let sum = 0;
  for (let at = 0; at < byteLength; at += step) {
    for (const value of dequantize(type, await source.read(offset + at, Math.min(step, byteLength - at))))
      sum += value ** 2;
  }
  return Math.sqrt(sum);
}
