import koffi, { type LibraryHandle } from "koffi";
import type { Pointer } from "./native-array.js";

/** The functions of ggml.h and ggml-cpu.h with which boundary computes graphs of its own. */
export interface GgmlLibrary {
  /** The number of an operation, by its name. @throws Error when there is none. */
  readonly operation: (name: string) => number;
  /** A context for tensors without data. */
  readonly openGraphs: (bytes: number) => Pointer | null;
  readonly newTensor: (context: Pointer, type: number, ...ne: [number, number, number, number]) => Pointer;
  readonly flashAttention: (
    context: Pointer,
    q: Pointer,
    k: Pointer,
    v: Pointer,
    mask: Pointer,
    scale: number,
    maxBias: number,
    softCap: number,
  ) => Pointer;
  readonly newGraph: (context: Pointer, nodes: number, gradients: boolean) => Pointer;
  readonly addNode: (graph: Pointer, tensor: Pointer) => void;
  readonly nodeCount: (graph: Pointer) => number;
  /** Bytes of memory that a graph needs while it is computed. */
  readonly workBytes: (graph: Pointer, threads: number, threadpool: Pointer) => number;
  /** @returns 0, or ggml's status where it failed. */
  readonly compute: (graph: Pointer, plan: Plan) => number;
  readonly copy: (to: Pointer, from: Pointer, bytes: number) => void;
}

/** ggml_cplan: how a graph is computed. */
export interface Plan {
  readonly work_size: number;
  readonly work_data: Pointer;
  readonly n_threads: number;
  readonly threadpool: Pointer;
  readonly abort_callback: null;
  readonly abort_callback_data: null;
  readonly use_ref: boolean;
}

const P = "void *";

/** @param base ggml's own library, @param cpu that of its CPU backend, @param c the C library. */
export function ggmlLibrary(base: LibraryHandle, cpu: LibraryHandle, c: LibraryHandle): GgmlLibrary {
  koffi.struct("ggml_init_params", { mem_size: "size_t", mem_buffer: P, no_alloc: "bool" });
  koffi.struct("ggml_cplan", {
    work_size: "size_t",
    work_data: P,
    n_threads: "int",
    threadpool: P,
    abort_callback: P,
    abort_callback_data: P,
    use_ref: "bool",
  });
  const initialise = base.func("void *ggml_init(ggml_init_params params)") as (params: object) => Pointer | null;
  const plan = cpu.func("ggml_cplan ggml_graph_plan(void *graph, int threads, void *threadpool)") as (
    ...args: [Pointer, number, Pointer]
  ) => Plan;
  const nameOfOperation = base.func("const char *ggml_op_name(int op)") as (operation: number) => unknown;
  return {
    operation: (name) => operationNamed(name, nameOfOperation),
    openGraphs: (bytes) => initialise({ mem_size: bytes, mem_buffer: null, no_alloc: true }),
    newTensor: base.func(
      "void *ggml_new_tensor_4d(void *ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)",
    ),
    flashAttention: base.func(
      "void *ggml_flash_attn_ext(void *ctx, void *q, void *k, void *v, void *mask, float scale, float max_bias, float softcap)",
    ),
    newGraph: base.func("void *ggml_new_graph_custom(void *ctx, size_t size, bool grads)"),
    addNode: base.func("void ggml_graph_add_node(void *graph, void *tensor)"),
    nodeCount: base.func("int ggml_graph_n_nodes(void *graph)"),
    workBytes: (...args) => plan(...args).work_size,
    compute: cpu.func("int ggml_graph_compute(void *graph, ggml_cplan *plan)"),
    copy: c.func("void *memcpy(void *to, void *from, size_t bytes)"),
  };
}

/** Operations are counted from 0; ggml.h of the known release has fewer than these. */
const MOST_OPERATIONS = 64;

function operationNamed(name: string, nameOf: (operation: number) => unknown): number {
  for (let operation = 0; operation < MOST_OPERATIONS; operation++) if (nameOf(operation) === name) return operation;
  throw new Error(`ggml has no operation ${name}`);
}
