// llama_decode and what it needs, called through koffi on the libllama inside the node-llama-cpp package: nothing of this project, nothing of
// node-llama-cpp's JavaScript. The structs are those of llama.cpp v0.5.0 on 64-bit Linux.
import { join } from "node:path";
import koffi from "koffi";
import { root } from "./root.mjs";

const RELEASE = "0.5.0";
const folder = join(root, "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
const [, ggml, llama] = ["libggml-base.so", `libggml.v${RELEASE}.so`, `libllama.v${RELEASE}.so`].map((name) =>
  koffi.load(join(folder, name)),
);
const libc = koffi.load("libc.so.6");

const struct = (name, bytes, fields) => {
  const pairs = fields.split(",").map((field) => field.trim().split(/\s+(?=\w+$)/));
  const type = koffi.struct(name, Object.fromEntries(pairs.map(([kind, field]) => [field, kind])));
  if (koffi.sizeof(type) !== bytes) throw new Error(`${name} has ${koffi.sizeof(type)} bytes, ${bytes} expected`);
};
struct(
  "llama_model_params",
  80,
  `void * devices, void * tensor_buft_overrides, int32_t n_gpu_layers, int32_t split_mode, int32_t load_mode, int32_t lazy_mode,
  int32_t main_gpu, void * tensor_split, void * progress_callback, void * progress_callback_user_data, void * kv_overrides,
  bool vocab_only, bool check_tensors, bool use_extra_bufts, bool no_host, bool no_alloc, bool load_mtp`,
);
struct(
  "llama_context_params",
  160,
  `uint32_t n_ctx, uint32_t n_batch, uint32_t n_ubatch, uint32_t n_seq_max, uint32_t n_rs_seq, uint32_t n_outputs_max,
  uint32_t n_outputs_max_per_seq, int32_t n_threads, int32_t n_threads_batch, int32_t ctx_type, int32_t rope_scaling_type,
  int32_t pooling_type, int32_t attention_type, int32_t flash_attn_type, float rope_freq_base, float rope_freq_scale,
  float yarn_ext_factor, float yarn_attn_factor, float yarn_beta_fast, float yarn_beta_slow, uint32_t yarn_orig_ctx,
  float defrag_thold, void * cb_eval, void * cb_eval_user_data, int32_t type_k, int32_t type_v, void * abort_callback,
  void * abort_callback_data, bool embeddings, bool offload_kqv, bool no_perf, bool op_offload, bool swa_full, bool kv_unified,
  void * samplers, size_t n_samplers, void * ctx_other`,
);
struct(
  "llama_batch",
  56,
  "int32_t n_tokens, void * token, void * embd, void * pos, void * n_seq_id, void * seq_id, void * logits",
);

const call = {
  version: llama.func("const char *llama_version()"),
  setLog: llama.func("void llama_log_set(void *callback, void *data)"),
  loadBackends: ggml.func("void ggml_backend_load_all_from_path(const char *path)"),
  modelDefaults: llama.func("llama_model_params llama_model_default_params()"),
  contextDefaults: llama.func("llama_context_params llama_context_default_params()"),
  loadModel: llama.func("void *llama_model_load_from_file(const char *path, llama_model_params params)"),
  vocabOf: llama.func("void *llama_model_get_vocab(void *model)"),
  vocabularySize: llama.func("int32_t llama_vocab_n_tokens(void *vocab)"),
  loadAdapter: llama.func("void *llama_adapter_lora_init(void *model, const char *path)"),
  initContext: llama.func("void *llama_init_from_model(void *model, llama_context_params params)"),
  freeContext: llama.func("void llama_free(void *context)"),
  setAdapters: llama.func("int32_t llama_set_adapters_lora(void *context, void *adapters, size_t n, void *scales)"),
  decode: llama.func("int32_t llama_decode(void *context, llama_batch batch)"),
  logitsOf: llama.func("void *llama_get_logits_ith(void *context, int32_t i)"),
  memoryOf: llama.func("void *llama_get_memory(void *context)"),
  clear: llama.func("void llama_memory_clear(void *memory, bool data)"),
  forget: llama.func("bool llama_memory_seq_rm(void *memory, int32_t sequence, int32_t from, int32_t to)"),
  malloc: libc.func("void *malloc(size_t bytes)"),
  free: libc.func("void free(void *address)"),
};
if (!call.version().startsWith(RELEASE)) throw new Error(`llama.cpp ${call.version()}, ${RELEASE} expected`);
// Any harmless C function silences the log.
call.setLog(libc.symbol("getpid", "void"), null);
call.loadBackends(folder);

const view = (Type, address, length) => new Type(koffi.view(address, length * Type.BYTES_PER_ELEMENT));
function native(Type, length) {
  const address = call.malloc(Math.max(8, length * Type.BYTES_PER_ELEMENT));
  return { address, values: view(Type, address, Math.max(1, length)) };
}

/** Loads a model on the CPU. */
export function loadModel(path) {
  const model = call.loadModel(path, { ...call.modelDefaults(), n_gpu_layers: 0 });
  if (model === null) throw new Error(`llama.cpp cannot load ${path}`);
  const vocabulary = call.vocabularySize(call.vocabOf(model));
  const loaded = new Map();
  const adapter = (file) => {
    if (!loaded.has(file)) loaded.set(file, call.loadAdapter(model, file));
    return loaded.get(file);
  };
  return { openContext: (shape, adapters) => openContext(model, vocabulary, shape, adapters.map(adapter)) };
}

/** A context of `sequences` times `contextSize` tokens under adapters at scale 1: F16 cache, calls of at most 512 tokens, as in every arm. */
function openContext(model, vocabulary, { sequences, contextSize, threads }, adapters) {
  const size = 512;
  const context = call.initContext(model, {
    ...call.contextDefaults(),
    ...{ n_ctx: sequences * Math.ceil(contextSize / 256) * 256, n_batch: size, n_ubatch: size, n_seq_max: sequences },
    ...{ n_threads: threads, n_threads_batch: threads, flash_attn_type: -1, no_perf: true, swa_full: false },
    kv_unified: false,
  });
  if (context === null) throw new Error("llama.cpp cannot make the context");
  const [pointers, scales] = [native(BigUint64Array, adapters.length), native(Float32Array, adapters.length)];
  adapters.forEach((address, i) => ((pointers.values[i] = address), (scales.values[i] = 1)));
  if (call.setAdapters(context, pointers.address, adapters.length, scales.address) !== 0) throw new Error("adapters");
  const types = { token: Int32Array, pos: Int32Array, n_seq_id: Int32Array, sequence: Int32Array };
  const arrays = Object.fromEntries(Object.entries(types).map(([name, Type]) => [name, native(Type, size)]));
  const [sequencePointers, outputs] = [native(BigUint64Array, size), native(Int8Array, size)];
  arrays.n_seq_id.values.fill(1);
  for (let i = 0; i < size; i++) sequencePointers.values[i] = arrays.sequence.address + BigInt(4 * i);
  const memory = call.memoryOf(context);

  /** One call of llama_decode. @param rows at most 512 of [token, position, sequence, whether logits are wanted] */
  function decode(rows) {
    rows.forEach(([token, position, sequence, output], i) => {
      arrays.token.values[i] = token;
      arrays.pos.values[i] = position;
      arrays.sequence.values[i] = sequence;
      outputs.values[i] = output ? 1 : 0;
    });
    const status = call.decode(context, {
      ...{ n_tokens: rows.length, token: arrays.token.address, embd: null, pos: arrays.pos.address },
      ...{ n_seq_id: arrays.n_seq_id.address, seq_id: sequencePointers.address, logits: outputs.address },
    });
    if (status !== 0) throw new Error(`llama_decode failed with ${status}`);
  }
  return {
    decode,
    prefill(tokens, sequence = 0) {
      for (let start = 0; start < tokens.length; start += size) {
        const part = tokens.slice(start, start + size);
        decode(part.map((token, i) => [token, start + i, sequence, start + i === tokens.length - 1]));
      }
    },
    /** Logits of a row of the last call, -1 being the last. */
    logits: (row) => Float32Array.from(view(Float32Array, call.logitsOf(context, row), vocabulary)),
    clear: () => call.clear(memory, false),
    forgetFrom: (sequence, position) => call.forget(memory, sequence, position, -1),
    close() {
      call.freeContext(context);
      const all = [...Object.values(arrays), sequencePointers, outputs, pointers, scales];
      for (const { address } of all) call.free(address);
    },
  };
}
