import type { ScaledPiece } from "../adapter/pieces.js";

/** Backends a user can ask for; `off` is the CPU alone. */
export const gpuChoices = ["auto", "cuda", "metal", "vulkan", "off"] as const;
export type GpuChoice = (typeof gpuChoices)[number];

/** What it takes to open a model. */
export interface EngineOptions {
  readonly modelPath: string;
  readonly gpu: GpuChoice;
  /** Layers put on the GPU; `auto` lets the engine fit them into its memory. */
  readonly gpuLayers: number | "auto" | "max";
  /** CPU threads; undefined takes the cores that are really there. */
  readonly threads?: number;
  /** `node` keeps to node-llama-cpp's own calls; otherwise llama.cpp is called directly where its release is known. */
  readonly calls?: "node";
}

/** What the engine turned out to be. It is part of a run's identity: another engine may break near-ties differently. */
export interface EngineInfo {
  readonly backend: "cpu" | "cuda" | "metal" | "vulkan";
  /** Who calls llama_decode: boundary itself, or node-llama-cpp. */
  readonly calls: "direct" | "node";
  readonly devices: readonly string[];
  readonly gpuLayers: number;
  readonly threads: number;
  readonly llamaCpp: string;
  readonly nodeLlamaCpp: string;
  /** Vocabulary size. */
  readonly vocabulary: number;
}

/** What a backend offers on this machine, without a model. Memory in bytes, 0 for the CPU. */
export interface BackendInfo {
  readonly backend: EngineInfo["backend"];
  readonly devices: readonly string[];
  readonly gpuMemory: number;
  /** Cores that the engine takes for useful in computations; it may not know of a container's limits. */
  readonly mathCores: number;
  readonly llamaCpp: string;
  readonly nodeLlamaCpp: string;
}

/** Shape of a context. One context serves one mask, always: the key/value cache does not survive a change of adapter. */
export interface ContextShape {
  /** Prompts that are generated for at once. */
  readonly sequences: number;
  /** Tokens of each sequence, prompt and answer together. */
  readonly contextSize: number;
  /** Most tokens in one call of llama_decode. */
  readonly batchSize: number;
  /** Type of the key/value cache. */
  readonly cacheType: "F16" | "F32";
  readonly flashAttention: "auto" | "off";
}

export interface Prompt {
  readonly id: string;
  readonly tokens: readonly number[];
}

/** One wave: at most `context.sequences` prompts, generated for at once under one mask. */
export interface GenerateRequest {
  readonly pieces: readonly ScaledPiece[];
  readonly context: ContextShape;
  readonly prompts: readonly Prompt[];
  readonly maxTokens: number;
  /** Strings that end an answer; they are cut off. */
  readonly stop: readonly string[];
}

export type StopReason = "eog" | "length" | "stop";

/** An answer. `tokens` are the generated ones, without the end-of-generation token. Times in milliseconds. */
export interface Generation {
  readonly id: string;
  readonly text: string;
  readonly tokens: readonly number[];
  readonly stopReason: StopReason;
  readonly promptTokens: number;
  readonly prefillMs: number;
  /** Time of the decode steps that this answer took part in, each divided by the answers that shared it. */
  readonly decodeMs: number;
  /** Tokens that came from decode steps: the first one comes from the prefill. */
  readonly decodedTokens: number;
}

/** What one next-token query needs. */
export interface LogitsRequest {
  readonly pieces: readonly ScaledPiece[];
  readonly context: ContextShape;
  readonly tokens: readonly number[];
}

/** Texts whose probability is asked for under one mask. */
export interface LikelihoodRequest {
  readonly pieces: readonly ScaledPiece[];
  readonly context: ContextShape;
  readonly prompts: readonly {
    readonly id: string;
    readonly tokens: readonly number[];
    /** What is to follow the prompt. */
    readonly continuation: readonly number[];
  }[];
}

/** How probable a continuation is when it is put in, token by token, whatever the model would have said. */
export interface Likelihood {
  readonly id: string;
  /** Natural logarithm, summed over the tokens of the continuation. */
  readonly logProbability: number;
  /** Tokens of the continuation. */
  readonly tokens: number;
}

/** A loaded model. Calls are served one after another, in the order in which they were made. */
export interface Engine {
  readonly info: EngineInfo;
  /** Token ids of each text: special tokens are recognised, a begin-of-sequence token is put in front where the model wants one and the text has none. */
  tokenize(texts: readonly string[]): Promise<number[][]>;
  /**
   * Generates greedily for one wave. The composition of every batch is a pure function of the request: each prompt is prefilled
   * alone, then all unfinished sequences take each decode step together.
   * @param onGeneration called as soon as an answer ends.
   * @throws EngineError, MemoryError; EngineCrashError when the native code ended the process.
   */
  generate(request: GenerateRequest, onGeneration?: (generation: Generation) => void): Promise<Generation[]>;
  /** Logits of the token that follows, one for each entry of the vocabulary. */
  nextTokenLogits(request: LogitsRequest): Promise<Float32Array>;
  /**
   * How probable each continuation is after its prompt (teacher forcing): one prefill each, by itself, in the order of the request.
   * @throws as {@link generate}.
   */
  logLikelihoods(request: LikelihoodRequest): Promise<Likelihood[]>;
  /** Peak resident memory of the engine's process so far, in bytes. */
  peakMemory(): Promise<number>;
  /** Ends the engine; calls under way fail. */
  close(): Promise<void>;
}
