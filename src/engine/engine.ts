import type { ScaledPiece } from "../adapter/pieces.js";
import type { ContextShape } from "./layer-passes.js";

/** Backends a user can ask for; `off` is the CPU alone. */
export const gpuChoices = ["auto", "cuda", "metal", "vulkan", "off"] as const;
export type GpuChoice = (typeof gpuChoices)[number];

/** What it takes to open a model. */
export interface EngineOptions {
  readonly modelPath: string;
  /** What a message calls the model where `modelPath` is a temporary copy of it. */
  readonly givenPath?: string;
  readonly gpu: GpuChoice;
  /** Layers put on the GPU; `auto` lets the engine fit them into its memory. */
  readonly gpuLayers: number | "auto" | "max";
  /** CPU threads; undefined takes the cores that are really there. */
  readonly threads?: number;
}

/** What the engine turned out to be. It is part of a run's identity: another engine may break near-ties differently. */
export interface EngineInfo {
  readonly backend: "cpu" | "cuda" | "metal" | "vulkan";
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

export interface Prompt {
  readonly id: string;
  readonly tokens: readonly number[];
  /** Answers that it was given under other masks, the likeliest first: they are tried before tokens are decoded one by one, and change none. */
  readonly drafts?: readonly (readonly number[])[];
}

/** Batches of any length, whose rows may depend on each other. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** Whether each answer is what a single run gives, whatever is computed beside it. */
export function isBatchInvariant({
  invariantTokens = UNBOUNDED,
}: {
  readonly invariantTokens?: number | undefined;
}): boolean {
  return invariantTokens < UNBOUNDED;
}

/** One wave: at most `context.sequences` prompts, generated for at once under one mask. */
export interface GenerateRequest {
  readonly pieces: readonly ScaledPiece[];
  readonly context: ContextShape;
  readonly prompts: readonly Prompt[];
  readonly maxTokens: number;
  /** Strings that end an answer; they are cut off. */
  readonly stop: readonly string[];
  /**
   * Answers share decode steps up to so many tokens of prompt and answer, each row computed as though it came alone; from there on each
   * takes its steps alone. With {@link UNBOUNDED}, the default, all share all, and what a row gives may depend on those beside it.
   */
  readonly invariantTokens?: number;
}

/** The masks of boundaries of one adapter, and prompts that are to be answered under each of them. */
export interface SharedRequest extends Omit<GenerateRequest, "pieces"> {
  /** The full adapter. */
  readonly full: readonly ScaledPiece[];
  /** Boundary K keeps the full adapter below layer K, and nothing of it from there on. */
  readonly boundaries: readonly { readonly boundary: number; readonly pieces: readonly ScaledPiece[] }[];
}

/** An answer under the mask of a boundary. */
export interface SharedGeneration {
  readonly boundary: number;
  readonly generation: Generation;
}

/** What it takes to find out which shortcuts change nothing. */
export interface ShortcutRequest {
  readonly full: readonly ScaledPiece[];
  /** A boundary between base and full, where layers are to be shared. */
  readonly boundary?: SharedRequest["boundaries"][number];
  readonly context: ContextShape;
  /** A prompt to try them on. */
  readonly tokens: readonly number[];
}

/** Ways to compute less, or more at once, that were tried on this model, adapter and machine and gave the same numbers bit for bit. */
export interface Shortcuts {
  /**
   * Batches whose rows do not depend on each other: up to so many tokens of a sequence, decode steps give in any company what they give
   * alone. 0 where they do not.
   */
  readonly invariantTokens: number;
  /** Whether what lies below a boundary can be computed once for all boundaries. */
  readonly sharedLayers: boolean;
  /** Why not, a sentence for each that is missing. */
  readonly reasons: readonly string[];
}

/** Tokens of answers, those of drafts that were not taken included, times layers; by the kind of call, `ROWS` or `ROWS/1` where all rows are one sequence's. */
export type DecodeWork = Readonly<
  Record<string, { readonly base: number; readonly adapter: number; readonly calls: number }>
>;

/** Layers times tokens that were computed for boundaries that share layers, and that plain answers would have cost besides; drafts of all answers. */
export interface Work {
  /** Prompt tokens times layers without and with an adapter. */
  readonly prefill: { readonly base: number; readonly adapter: number };
  readonly decode: DecodeWork;
  /** Layers times tokens that were not computed: below a boundary, of common prompt beginnings; and tokens of drafts. */
  readonly saved: { readonly sharedLayers: number; readonly commonPrefix: number };
  readonly drafts: { readonly tried: number; readonly taken: number };
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
  /** Who gave it, where workers that may differ answer. */
  readonly worker?: string | undefined;
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

/** The masks of boundaries of one adapter, and texts whose probability is asked for under each of them. */
export interface SharedLikelihoodRequest
  extends Omit<LikelihoodRequest, "pieces">, Pick<SharedRequest, "full" | "boundaries"> {}

/** How probable a continuation is under the mask of a boundary. */
export interface SharedLikelihood {
  readonly boundary: number;
  readonly likelihood: Likelihood;
}

/** A loaded model that answers. One that can read its layers is a `LayerReader` too: `reading` tells. Calls are served one after another, in the order in which they were made. */
export interface Engine {
  readonly info: EngineInfo;
  /** Waves that may be under way at once, where it is several engines that answer; they come sample by sample then, not mask by mask. */
  readonly wavesInFlight?: number;
  /** Token ids of each text: special tokens are recognised, a begin-of-sequence token is put in front where the model wants one and the text has none. */
  tokenize(texts: readonly string[]): Promise<number[][]>;
  /**
   * Generates greedily for one wave. The composition of every batch is a pure function of the request: each prompt is prefilled
   * alone, then all unfinished sequences take each decode step together.
   * @param onGeneration called as soon as an answer ends.
   * @throws EngineError, MemoryError; EngineCrashError when the native code ended the process.
   */
  generate(request: GenerateRequest, onGeneration?: (generation: Generation) => void): Promise<Generation[]>;
  /**
   * Generates greedily for prompts under several boundaries of one adapter, computing what they have in common once. The answers are
   * those of {@link generate}, token for token.
   * @param onGeneration called as soon as an answer ends.
   * @throws what generate does; EngineError where {@link shortcuts} did not find that layers can be shared.
   */
  generateShared(request: SharedRequest, onGeneration: (shared: SharedGeneration) => void): Promise<void>;
  /** Tries out which shortcuts change nothing here. */
  shortcuts(request: ShortcutRequest): Promise<Shortcuts>;
  /** What was computed since the engine was opened; undefined where others compute. */
  work(): Promise<Work | undefined>;
  /** Logits of the token that follows, one for each entry of the vocabulary. */
  nextTokenLogits(request: LogitsRequest): Promise<Float32Array>;
  /**
   * How probable each continuation is after its prompt (teacher forcing): one prefill each, in the order of the request. A beginning that it
   * has from the text before it may be kept where that changes no bit.
   * @throws as {@link generate}.
   */
  logLikelihoods(request: LikelihoodRequest): Promise<Likelihood[]>;
  /**
   * How probable each continuation is under several boundaries of one adapter, what they have in common computed once. The likelihoods are
   * those of {@link logLikelihoods}, bit for bit.
   * @param onLikelihood called as soon as one is known.
   * @throws as {@link generateShared}.
   */
  logLikelihoodsShared(
    request: SharedLikelihoodRequest,
    onLikelihood: (shared: SharedLikelihood) => void,
  ): Promise<void>;
  /** Peak resident memory of the engine's process so far, in bytes. */
  peakMemory(): Promise<number>;
  /** Ends the engine; calls under way fail. */
  close(): Promise<void>;
}
