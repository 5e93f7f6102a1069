import { metadataArray, metadataNumber, type GgufMetadata } from "../formats/gguf-value.js";

/** What a model remembers of its context, and of which heads. */
export interface ModelMemory {
  /** Attention heads, and heads of keys and values (fewer with grouped-query attention); the largest where layers differ, 0 without attention. */
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  /** Heads of keys and of values of recurrent layers with linear attention; 0 without such layers. */
  readonly stateKeyHeadCount: number;
  readonly stateValueHeadCount: number;
  /**
   * Bytes of an F16 key/value cache for one token, all layers; windows of sliding attention are not discounted. 0 for models without attention.
   */
  readonly cacheBytesPerToken: number;
  /** Bytes of what recurrent layers remember of a sequence, whatever its length; 0 without such layers. */
  readonly stateBytesPerSequence: number;
}

/** Bytes that contexts of this model hold: keys and values of each token, and what recurrent layers remember of each sequence. */
export function contextBytes(
  { cacheBytesPerToken, stateBytesPerSequence }: Pick<ModelMemory, "cacheBytesPerToken" | "stateBytesPerSequence">,
  { sequences, contextSize }: { readonly sequences: number; readonly contextSize: number },
): number {
  return sequences * (cacheBytesPerToken * contextSize + stateBytesPerSequence);
}

/** Reads it from a model's metadata: numbers that hold for all layers, or a list with one for each. */
export function modelMemory(
  metadata: GgufMetadata,
  architecture: string,
  { layerCount, shapes }: { readonly layerCount: number; readonly shapes: ReadonlyMap<string, readonly number[]> },
): ModelMemory {
  const number = (name: string): number => count(metadataNumber(metadata, `${architecture}.${name}`));
  const perLayer = (name: string): number[] | undefined => listOf(metadata, `${architecture}.${name}`, layerCount);
  const heads = perLayer("attention.head_count") ?? Array.from({ length: layerCount }, () => 1);
  const keyValueHeads = perLayer("attention.head_count_kv") ?? heads;
  const headCount = Math.max(...heads);
  const headSize = headCount === 0 ? 0 : number("embedding_length") / headCount;
  const keyLength = number("attention.key_length") || headSize;
  const valueLength = number("attention.value_length") || headSize;
  const cached = keyValueHeads.reduce((sum, count) => sum + count, 0);
  const recurrent = recurrentLayers(shapes, layerCount);
  return {
    headCount,
    keyValueHeadCount: Math.max(...keyValueHeads),
    stateKeyHeadCount: number("ssm.group_count"),
    stateValueHeadCount: number("ssm.time_step_rank"),
    // F16: 2 bytes an element. Source: llama-kv-cache.cpp, n_embd_k_gqa and n_embd_v_gqa of every layer.
    cacheBytesPerToken: 2 * cached * (keyLength + valueLength),
    stateBytesPerSequence: 4 * recurrent * stateElements(number, headCount),
  };
}

/** Layers with tensors of a state-space model, a short convolution or RWKV's time mixing. */
function recurrentLayers(shapes: ReadonlyMap<string, readonly number[]>, layerCount: number): number {
  const recurrent = /^blk\.(\d+)\.(ssm_|shortconv|time_mix_)/;
  const layers = new Set([...shapes.keys()].flatMap((name) => recurrent.exec(name)?.[1] ?? []));
  return Math.min(layers.size, layerCount);
}

/** F32 numbers that one recurrent layer remembers of a sequence. Source: llama-hparams.cpp, n_embd_r and n_embd_s. */
function stateElements(number: (name: string) => number, headCount: number): number {
  const embedding = number("embedding_length");
  const wkvHeadSize = number("wkv.head_size");
  if (wkvHeadSize > 0) return (number("token_shift_count") || 2) * embedding + embedding * wkvHeadSize;
  const kept = number("shortconv.l_cache");
  if (kept > 0) return embedding * (kept - 1);
  const convolution = Math.max(0, number("ssm.conv_kernel") - 1);
  const deltaHeadSize = number("kda.head_dim");
  if (deltaHeadSize > 0) return headCount * deltaHeadSize * (3 * convolution + deltaHeadSize);
  const [inner, state] = [number("ssm.inner_size"), number("ssm.state_size")];
  return convolution * (inner + 2 * number("ssm.group_count") * state) + state * inner;
}

/** One number a layer; undefined where the key is missing. A list that is shorter than the model repeats its last number. */
function listOf(metadata: GgufMetadata, key: string, layerCount: number): number[] | undefined {
  const single = metadataNumber(metadata, key);
  const items = single === undefined ? metadataArray(metadata, key)?.map(Number).map(count) : [count(single)];
  const last = items?.at(-1);
  if (!items || last === undefined) return undefined;
  return Array.from({ length: layerCount }, (_, layer) => items[layer] ?? last);
}

/** A number of things as a file gives it: 0 where it gives none, or none that can be. */
function count(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) && value > 0 ? value : 0;
}
