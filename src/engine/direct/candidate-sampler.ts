import type { LlamaLibrary } from "./llama-library.js";
import { allocate, release, type NativeArray, type Pointer } from "./native-array.js";

/** How llama.cpp draws a token; what is absent is off. */
export interface SamplerSettings {
  /** Above 0. */
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  /** 32 bits. */
  readonly seed: number;
}

/** llama_token_data: id (int32), logit and probability (float each). */
const WORDS_OF_CANDIDATE = 3;
/** llama_token_data_array: data (pointer), size (size_t), selected (int64), sorted (bool, padded). */
const BYTES_OF_ARRAY = 32;
/** -1 as llama_token_data_array has it. */
const NOTHING_SELECTED = BigInt.asUintN(64, -1n);
/** Candidates that a filter leaves at least. */
const LEAST_KEPT = 1;

/**
 * Draws tokens with llama.cpp's samplers, in the order top-k, top-p, min-p, temperature, as node-llama-cpp and most servers have it.
 * {@link close} frees them.
 */
export class CandidateSampler {
  private readonly chain: Pointer;
  private readonly candidates: NativeArray<Int32Array>;
  private readonly logits: Float32Array;
  private readonly array: NativeArray<BigUint64Array>;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly vocabulary: number,
    { temperature, topK, topP, minP, seed }: SamplerSettings,
  ) {
    const { samplers } = library;
    this.chain = samplers.chain();
    if (topK !== undefined) samplers.add(this.chain, samplers.topK(topK));
    if (topP !== undefined) samplers.add(this.chain, samplers.topP(topP, LEAST_KEPT));
    if (minP !== undefined) samplers.add(this.chain, samplers.minP(minP, LEAST_KEPT));
    samplers.add(this.chain, samplers.temperature(temperature));
    samplers.add(this.chain, samplers.draw(seed));
    this.candidates = allocate(library, Int32Array, vocabulary * WORDS_OF_CANDIDATE);
    const { buffer, byteOffset, length } = this.candidates.values;
    this.logits = new Float32Array(buffer, byteOffset, length);
    this.array = allocate(library, BigUint64Array, BYTES_OF_ARRAY / BigUint64Array.BYTES_PER_ELEMENT);
  }

  /** @param logits of all tokens; those of -Infinity are never drawn. @returns -1 where no token is left. */
  draw(logits: Float32Array): number {
    const { vocabulary, logits: candidateLogits } = this;
    const { address, values: ids } = this.candidates;
    let count = 0;
    for (let token = 0; token < vocabulary; token++) {
      const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
      if (logit === Number.NEGATIVE_INFINITY) continue;
      ids[count * WORDS_OF_CANDIDATE] = token;
      candidateLogits[count * WORDS_OF_CANDIDATE + 1] = logit;
      count++;
    }
    if (count === 0) return -1;
    const fields = this.array.values;
    fields.set([address, BigInt(count), NOTHING_SELECTED, 0n]);
    this.library.samplers.apply(this.chain, this.array.address);
    return ids[Number(fields[2]) * WORDS_OF_CANDIDATE] ?? -1;
  }

  close(): void {
    this.library.samplers.free(this.chain);
    release(this.library, this.candidates);
    release(this.library, this.array);
  }
}
