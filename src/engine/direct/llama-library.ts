import koffi, { type LibraryHandle } from "koffi";
import { ggmlLibrary, type GgmlLibrary } from "./ggml-library.js";
import { loadedLibraries } from "./loaded-libraries.js";
import type { Pointer } from "./native-array.js";

/** A field's value as koffi reads and writes it. */
type Field = number | boolean | Pointer | null;

/** llama_model_params and llama_context_params of llama.h, by field. */
export type ModelParams = Record<string, Field>;
export type ContextParams = Record<string, Field>;

/** llama_batch of llama.h: `n_tokens` tokens or rows of hidden states, with positions, sequences and output flags. */
export interface Batch {
  readonly n_tokens: number;
  readonly token: Pointer | null;
  readonly embd: Pointer | null;
  readonly pos: Pointer;
  readonly n_seq_id: Pointer;
  readonly seq_id: Pointer;
  readonly logits: Pointer;
}

/** llama.cpp's samplers; one that was added to a chain is freed with it. */
export interface SamplerLibrary {
  readonly chain: () => Pointer;
  readonly add: (chain: Pointer, sampler: Pointer) => void;
  readonly topK: (k: number) => Pointer;
  readonly topP: (p: number, leastKept: number) => Pointer;
  readonly minP: (p: number, leastKept: number) => Pointer;
  readonly temperature: (temperature: number) => Pointer;
  readonly draw: (seed: number) => Pointer;
  /** @param candidates a llama_token_data_array. */
  readonly apply: (chain: Pointer, candidates: Pointer) => void;
  readonly free: (chain: Pointer) => void;
}

/** The functions of llama.h that boundary calls by itself. Null is NULL: the engine refused. */
export interface LlamaLibrary {
  readonly modelDefaults: () => ModelParams;
  readonly contextDefaults: () => ContextParams;
  readonly loadModel: (path: string, params: ModelParams) => Pointer | null;
  readonly freeModel: (model: Pointer) => void;
  readonly layerCount: (model: Pointer) => number;
  /** Length of a hidden state. */
  readonly embeddingLength: (model: Pointer) => number;
  readonly vocabOf: (model: Pointer) => Pointer;
  readonly vocabularySize: (vocab: Pointer) => number;
  /** A token as the model's file writes it. */
  readonly tokenText: (vocab: Pointer, token: number) => string;
  readonly loadAdapter: (model: Pointer, path: string) => Pointer | null;
  readonly initContext: (model: Pointer, params: ContextParams) => Pointer | null;
  /** Threads that stay: without them llama.cpp starts and ends its own for every graph. One context at a time may compute on them. */
  readonly threadpool: (threads: number) => Pointer;
  readonly attachThreadpool: (context: Pointer, threadpool: Pointer, batchThreadpool: Pointer) => void;
  readonly freeContext: (context: Pointer) => void;
  readonly setAdapters: (context: Pointer, adapters: Pointer, count: number, scales: Pointer) => number;
  readonly decode: (context: Pointer, batch: Batch) => number;
  readonly allLogits: (context: Pointer) => Pointer | null;
  readonly memoryOf: (context: Pointer) => Pointer;
  readonly clearMemory: (memory: Pointer, data: boolean) => void;
  /** Forgets the positions from `from` to `to` (exclusive; -1 is the end) of a sequence. */
  readonly removeCells: (memory: Pointer, sequence: number, from: number, to: number) => boolean;
  /** The lowest position of a sequence that is still remembered; -1 where nothing is. */
  readonly lowestPosition: (memory: Pointer, sequence: number) => number;
  readonly stateBytes: (context: Pointer, sequence: number) => number;
  readonly readState: (context: Pointer, to: Pointer, bytes: number, sequence: number) => number;
  readonly writeState: (context: Pointer, from: Pointer, bytes: number, sequence: number) => number;
  readonly readTensor: (tensor: Pointer, to: Pointer, offset: number, bytes: number) => void;
  /** Makes a function that llama.cpp may call for every tensor of a graph (ggml_backend_sched_eval_callback), until it is forgotten. */
  readonly registerEvaluation: (call: (tensor: Pointer, ask: boolean) => boolean) => Pointer;
  readonly forgetEvaluation: (callback: Pointer) => void;
  readonly samplers: SamplerLibrary;
  /** Graphs of our own. */
  readonly ggml: GgmlLibrary;
  readonly malloc: (bytes: number) => Pointer | null;
  readonly free: (address: Pointer) => void;
}

/**
 * The releases whose structs are laid out below, as llama_version() and node-llama-cpp's metadata name them. Between them llama.h, ggml-cpu.h and
 * ggml-backend.h change no struct that is used, ggml.h no field of a tensor, and llama-kv-cache.cpp nothing of how a sequence's state is written.
 */
export const KNOWN_RELEASES: readonly string[] = ["v0.4.0", "v0.5.0"];

/** Sizes in bytes that the releases' structs have where pointers have 8 bytes: another size is another layout, and every call would read rubbish. */
const STRUCT_BYTES = { llama_model_params: 80, llama_context_params: 160, llama_batch: 56 } as const;

const P = "void *";
const STRUCTS: Readonly<Record<keyof typeof STRUCT_BYTES, Record<string, string>>> = {
  llama_model_params: {
    devices: P,
    tensor_buft_overrides: P,
    n_gpu_layers: "int32_t",
    split_mode: "int32_t",
    load_mode: "int32_t",
    lazy_mode: "int32_t",
    main_gpu: "int32_t",
    tensor_split: P,
    progress_callback: P,
    progress_callback_user_data: P,
    kv_overrides: P,
    vocab_only: "bool",
    check_tensors: "bool",
    use_extra_bufts: "bool",
    no_host: "bool",
    no_alloc: "bool",
    load_mtp: "bool",
  },
  llama_context_params: {
    n_ctx: "uint32_t",
    n_batch: "uint32_t",
    n_ubatch: "uint32_t",
    n_seq_max: "uint32_t",
    n_rs_seq: "uint32_t",
    n_outputs_max: "uint32_t",
    n_outputs_max_per_seq: "uint32_t",
    n_threads: "int32_t",
    n_threads_batch: "int32_t",
    ctx_type: "int32_t",
    rope_scaling_type: "int32_t",
    pooling_type: "int32_t",
    attention_type: "int32_t",
    flash_attn_type: "int32_t",
    rope_freq_base: "float",
    rope_freq_scale: "float",
    yarn_ext_factor: "float",
    yarn_attn_factor: "float",
    yarn_beta_fast: "float",
    yarn_beta_slow: "float",
    yarn_orig_ctx: "uint32_t",
    defrag_thold: "float",
    cb_eval: P,
    cb_eval_user_data: P,
    type_k: "int32_t",
    type_v: "int32_t",
    abort_callback: P,
    abort_callback_data: P,
    embeddings: "bool",
    offload_kqv: "bool",
    no_perf: "bool",
    op_offload: "bool",
    swa_full: "bool",
    kv_unified: "bool",
    samplers: P,
    n_samplers: "size_t",
    ctx_other: P,
  },
  llama_batch: { n_tokens: "int32_t", token: P, embd: P, pos: P, n_seq_id: P, seq_id: P, logits: P },
};

/** Why this machine's llama.cpp cannot be called directly. */
export class DirectUnavailable extends Error {}

let opened: LlamaLibrary | undefined;

/**
 * The llama.cpp that node-llama-cpp has loaded into this process, called without it: same library, same backends, no second copy.
 * @param release that node-llama-cpp names.
 * @throws DirectUnavailable where the release is not one that these structs are known to fit.
 */
export function llamaLibrary(release: string): LlamaLibrary {
  return (opened ??= open(release));
}

function open(release: string): LlamaLibrary {
  if (!KNOWN_RELEASES.includes(release)) {
    throw new DirectUnavailable(`known for llama.cpp ${KNOWN_RELEASES.join(" and ")}, this is ${release}`);
  }
  for (const [name, fields] of Object.entries(STRUCTS)) {
    const bytes = koffi.sizeof(koffi.struct(name, fields));
    const expected = STRUCT_BYTES[name as keyof typeof STRUCT_BYTES];
    if (bytes !== expected) throw new DirectUnavailable(`${name} has ${bytes} bytes, ${expected} expected`);
  }
  const { llama, base: ggml, cpu, c } = loadedLibraries();
  const evaluation = koffi.pointer(koffi.proto("bool boundary_evaluation(void *tensor, bool ask, void *data)"));
  const version = String((llama.func("const char *llama_version()") as () => unknown)());
  if (!`v${version}`.startsWith(release)) {
    throw new DirectUnavailable(`the library calls itself ${version}, ${release} expected`);
  }
  // koffi types every function as any; the declarations beside give them the types of LlamaLibrary.
  return {
    modelDefaults: llama.func("llama_model_params llama_model_default_params()"),
    contextDefaults: llama.func("llama_context_params llama_context_default_params()"),
    loadModel: llama.func("void *llama_model_load_from_file(const char *path, llama_model_params params)"),
    freeModel: llama.func("void llama_model_free(void *model)"),
    layerCount: llama.func("int32_t llama_model_n_layer(void *model)"),
    embeddingLength: llama.func("int32_t llama_model_n_embd(void *model)"),
    vocabOf: llama.func("void *llama_model_get_vocab(void *model)"),
    vocabularySize: llama.func("int32_t llama_vocab_n_tokens(void *vocab)"),
    tokenText: llama.func("const char *llama_vocab_get_text(void *vocab, int32_t token)"),
    samplers: samplerLibrary(llama),
    loadAdapter: llama.func("void *llama_adapter_lora_init(void *model, const char *path)"),
    initContext: llama.func("void *llama_init_from_model(void *model, llama_context_params params)"),
    threadpool: threadpools(ggml, cpu),
    attachThreadpool: llama.func("void llama_attach_threadpool(void *ctx, void *threadpool, void *batch)"),
    freeContext: llama.func("void llama_free(void *ctx)"),
    setAdapters: llama.func("int32_t llama_set_adapters_lora(void *ctx, void *adapters, size_t n, void *scales)"),
    decode: llama.func("int32_t llama_decode(void *ctx, llama_batch batch)"),
    allLogits: llama.func("void *llama_get_logits(void *ctx)"),
    memoryOf: llama.func("void *llama_get_memory(void *ctx)"),
    clearMemory: llama.func("void llama_memory_clear(void *memory, bool data)"),
    removeCells: llama.func("bool llama_memory_seq_rm(void *memory, int32_t seq, int32_t p0, int32_t p1)"),
    lowestPosition: llama.func("int32_t llama_memory_seq_pos_min(void *memory, int32_t seq)"),
    stateBytes: counted(llama.func("size_t llama_state_seq_get_size(void *ctx, int32_t seq)")),
    readState: counted(llama.func("size_t llama_state_seq_get_data(void *ctx, void *to, size_t size, int32_t seq)")),
    writeState: counted(llama.func("size_t llama_state_seq_set_data(void *ctx, void *from, size_t size, int32_t seq)")),
    readTensor: ggml.func("void ggml_backend_tensor_get(void *tensor, void *data, size_t offset, size_t size)"),
    registerEvaluation: (call) => koffi.register(call, evaluation),
    forgetEvaluation: (callback) => {
      koffi.unregister(callback);
    },
    ggml: ggmlLibrary(ggml, cpu, c),
    malloc: c.func("void *malloc(size_t bytes)"),
    free: c.func("void free(void *address)"),
  };
}

function samplerLibrary(llama: LibraryHandle): SamplerLibrary {
  koffi.struct("llama_sampler_chain_params", { no_perf: "bool" });
  const chain = llama.func("void *llama_sampler_chain_init(llama_sampler_chain_params params)") as (
    params: object,
  ) => Pointer;
  return {
    chain: () => chain({ no_perf: true }),
    add: llama.func("void llama_sampler_chain_add(void *chain, void *sampler)"),
    topK: llama.func("void *llama_sampler_init_top_k(int32_t k)"),
    topP: llama.func("void *llama_sampler_init_top_p(float p, size_t least)"),
    minP: llama.func("void *llama_sampler_init_min_p(float p, size_t least)"),
    temperature: llama.func("void *llama_sampler_init_temp(float temperature)"),
    draw: llama.func("void *llama_sampler_init_dist(uint32_t seed)"),
    apply: llama.func("void llama_sampler_apply(void *chain, void *candidates)"),
    free: llama.func("void llama_sampler_free(void *chain)"),
  };
}

/** Bytes of ggml_threadpool_params: 512 flags of cores, then 4 + 4 + 4 + 1 + 1 rounded up. */
const THREADPOOL_PARAMS_BYTES = 528;

/** Makes a pool of threads for each number of them, once. */
function threadpools(ggml: LibraryHandle, cpu: LibraryHandle): (threads: number) => Pointer {
  const initialise = ggml.func("void ggml_threadpool_params_init(void *params, int threads)") as (
    params: Uint8Array,
    threads: number,
  ) => void;
  const create = cpu.func("void *ggml_threadpool_new(void *params)") as (params: Uint8Array) => Pointer;
  const pools = new Map<number, Pointer>();
  return (threads) => {
    const known = pools.get(threads);
    if (known !== undefined) return known;
    const params = new Uint8Array(THREADPOOL_PARAMS_BYTES);
    initialise(params, threads);
    const pool = create(params);
    pools.set(threads, pool);
    return pool;
  };
}

/** koffi gives a size_t as a number or, where it is large, as a bigint. */
function counted<A extends unknown[]>(call: (...args: A) => unknown): (...args: A) => number {
  return (...args) => Number(call(...args));
}
