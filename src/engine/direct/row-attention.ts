import koffi from "koffi";
import { at } from "../../assert.js";
import { field, GGML_TYPES, TENSOR } from "./ggml-tensor.js";
import type { Plan } from "./ggml-library.js";
import { GraphTap } from "./graph-tap.js";
import { nameStart } from "./graph-watch.js";
import type { LlamaLibrary } from "./llama-library.js";
import { allocate, pointerAt, release, viewOf, type NativeArray, type Pointer } from "./native-array.js";

/** llama.cpp looks at cells in blocks of so many (llama_kv_cache::get_n_kv). */
export const CELL_BLOCK = 256;
/** From so many cells on a row that comes alone is cut into parts (use_split_kv_path of ggml-cpu/ops.cpp). */
const SPLIT_CELLS = 512;
/** Rows that one graph of ours computes. */
const ROWS = 64;
const BYTES_OF_GRAPHS = 2 ** 20;
/** What attention of a layer puts out: a view of the tensor that ggml_flash_attn_ext computed. */
const ATTENTION_OUTPUT = nameStart("kqv_out-");
/** Zero in a mask (f16) lets a cell be seen. */
const SEEN = 0;

/** The five tensors of one row's attention. */
interface Row {
  readonly q: Pointer;
  readonly k: Pointer;
  readonly v: Pointer;
  readonly mask: Pointer;
  readonly output: Pointer;
}

/**
 * Attention of rows in company, computed as llama.cpp computes it for a row that comes alone. Over 512 cells and more ggml's flash
 * attention cuts a single row's cells into one part for each thread and adds the parts up; rows in company it computes in one piece, which
 * rounds otherwise. So where a graph has several rows over so many cells, each is computed as a row of its own, by the same function of
 * ggml over the same keys and values, in place of what llama.cpp's graph would compute.
 *
 * Expects sequences in streams of their own (`kv_unified` off) whose cells are their positions.
 */
export class RowAttention extends GraphTap {
  private readonly rows: readonly Row[];
  private readonly graph: Pointer;
  private readonly threadpool: Pointer;
  private readonly operation: number;
  /** Headers of llama.cpp's own tensors: q, k, v, mask, output. */
  private readonly headers: NativeArray<Uint8Array>;
  private readonly header: DataView;
  private readonly memory: { readonly start: Pointer; readonly bytes: Uint8Array; readonly view: DataView };
  private plan: { readonly key: string; readonly work: NativeArray<Uint8Array>; readonly plan: Plan } | undefined;
  /** llama.cpp's own tensors of the layer that is computed. */
  private layer: readonly Pointer[] | undefined;
  private active = false;

  /** @throws Error when ggml's tensors are not laid out as expected. */
  constructor(
    private readonly library: LlamaLibrary,
    private readonly threads: number,
  ) {
    super();
    const { ggml } = library;
    const context = ggml.openGraphs(BYTES_OF_GRAPHS);
    if (context === null) throw new RangeError("no memory for graphs");
    this.threadpool = library.threadpool(threads);
    this.graph = ggml.newGraph(context, ROWS, false);
    this.rows = Array.from({ length: ROWS }, () => {
      const q = ggml.newTensor(context, GGML_TYPES.F32, 32, 1, 3, 1);
      const k = ggml.newTensor(context, GGML_TYPES.F16, 32, CELL_BLOCK, 3, 1);
      const v = ggml.newTensor(context, GGML_TYPES.F16, 32, CELL_BLOCK, 3, 1);
      const mask = ggml.newTensor(context, GGML_TYPES.F16, CELL_BLOCK, 1, 1, 1);
      const output = ggml.flashAttention(context, q, k, v, mask, 1, 0, 0);
      ggml.addNode(this.graph, output);
      return { q, k, v, mask, output };
    });
    const tensors = this.rows.flatMap((row) => Object.values(row) as Pointer[]);
    const start = tensors.reduce((a, b) => (a < b ? a : b));
    const end = tensors.reduce((a, b) => (a > b ? a : b)) + BigInt(TENSOR.name);
    const bytes = viewOf(Uint8Array, start, Number(end - start));
    this.memory = { start, bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    this.headers = allocate(library, Uint8Array, PARTS.length * TENSOR.src);
    this.header = new DataView(this.headers.values.buffer, this.headers.values.byteOffset);
    this.operation = this.checkLayout();
  }

  /** Evaluates with every row computed as though it came alone. @throws Error when llama.cpp's graph was not as expected. */
  asIfAlone<T>(evaluate: () => T): T {
    this.active = true;
    try {
      return this.during(evaluate);
    } finally {
      this.active = false;
    }
  }

  wants(_tensor: Pointer, start: bigint): boolean {
    return this.active && start === ATTENTION_OUTPUT;
  }

  beforehand(tensor: Pointer): void {
    this.layer = undefined;
    const output = pointerAt(field(tensor, "src"));
    if (koffi.decode.int32(field(output, "op")) !== this.operation) {
      this.fail("attention is not computed by ggml_flash_attn_ext");
      return;
    }
    const tensors = [...[0, 1, 2, 3].map((i) => pointerAt(field(output, "src", i))), output];
    for (const [part, address] of tensors.entries()) {
      if (address === 0n) this.fail("attention has no mask");
      else this.library.ggml.copy(this.headers.address + BigInt(part * TENSOR.src), address, TENSOR.src);
    }
    if (this.header.getFloat32(PARTS.indexOf("output") * TENSOR.src + TENSOR.opParams + 4, true) !== 0) {
      this.fail("attention has a bias");
    }
    if (this.hasFailed || this.ne("k", 1) < SPLIT_CELLS || this.ne("q", 1) * this.ne("q", 3) === 1) return;
    this.layer = tensors;
    // What llama.cpp computes is thrown away, so it gets a single cell to look at.
    this.setCells(tensors, 1);
  }

  computed(): void {
    const tensors = this.layer;
    if (!tensors) return;
    this.setCells(tensors, this.ne("k", 1));
    this.recompute(tensors.map((address) => pointerAt(field(address, "data"))));
  }

  private setCells(tensors: readonly Pointer[], cells: number): void {
    for (const name of ["k", "v"] as const) {
      const tensor = tensors[PARTS.indexOf(name)];
      if (tensor !== undefined) koffi.encode(field(tensor, "ne", 1), "int64_t", cells);
    }
  }

  /** @param data of q, k, v, mask and output. */
  private recompute(data: readonly Pointer[]): void {
    const tokens = this.ne("q", 1);
    const streams = this.ne("q", 3);
    const cells = this.ne("k", 1);
    let count = 0;
    for (let stream = 0; stream < streams; stream++) {
      for (let token = 0; token < tokens; token++) {
        const own = this.ownCells(at(data, 3) + this.offset("mask", token, stream), cells);
        this.fill(count++, data, { token, stream, own });
        if (count === ROWS) {
          this.compute(count);
          count = 0;
        }
      }
    }
    if (count > 0) this.compute(count);
  }

  /** Cells that llama.cpp looks at where the row comes alone: whole blocks, up to the last that the row sees. */
  private ownCells(mask: Pointer, cells: number): number {
    let own = CELL_BLOCK;
    while (own < cells && koffi.decode.uint16(mask + BigInt(2 * own)) === SEEN) own += CELL_BLOCK;
    return own;
  }

  /** Makes one of our rows a copy of llama.cpp's attention that has this row alone. */
  private fill(
    index: number,
    data: readonly Pointer[],
    { token, stream, own }: { readonly token: number; readonly stream: number; readonly own: number },
  ): void {
    const row = this.rows[index];
    if (!row) throw new RangeError(`no row ${index}`);
    const { start, bytes, view } = this.memory;
    for (const [part, name] of PARTS.entries()) {
      const place = Number(row[name] - start);
      bytes.set(this.headers.values.subarray(part * TENSOR.src, (part + 1) * TENSOR.src), place);
      const ne = (dimension: number, elements: number): void => {
        view.setBigInt64(place + TENSOR.ne + 8 * dimension, BigInt(elements), true);
      };
      ne(3, 1);
      ne(name === "output" ? 2 : 1, name === "k" || name === "v" ? own : 1);
      if (name === "mask") ne(0, own);
      view.setBigUint64(place + TENSOR.data, at(data, part) + this.offset(name, token, stream), true);
    }
  }

  /** Bytes from a tensor's data to those of a row. Keys and values are the stream's; output has its rows in dimension 2. */
  private offset(name: keyof Row, token: number, stream: number): bigint {
    const own = name === "k" || name === "v" ? 0n : BigInt(token) * this.nb(name, name === "output" ? 2 : 1);
    return own + BigInt(stream) * this.nb(name, 3);
  }

  private compute(count: number): void {
    const { ggml } = this.library;
    koffi.encode(this.graph + NODE_COUNT, "int", count);
    const status = ggml.compute(this.graph, this.planned());
    if (status !== 0) this.fail(`ggml_graph_compute failed with ${status}`);
  }

  /** What computing takes depends on heads and their lengths alone. */
  private planned(): Plan {
    const key = [this.ne("q", 2), this.ne("k", 0), this.ne("v", 0)].join();
    if (this.plan?.key === key) return this.plan.plan;
    if (this.plan) release(this.library, this.plan.work);
    const bytes = this.library.ggml.workBytes(this.graph, this.threads, this.threadpool);
    const work = allocate(this.library, Uint8Array, bytes);
    const plan: Plan = {
      work_size: bytes,
      work_data: work.address,
      n_threads: this.threads,
      threadpool: this.threadpool,
      abort_callback: null,
      abort_callback_data: null,
      use_ref: false,
    };
    this.plan = { key, work, plan };
    return plan;
  }

  private ne(name: keyof Row, dimension: number): number {
    return Number(this.header.getBigInt64(PARTS.indexOf(name) * TENSOR.src + TENSOR.ne + 8 * dimension, true));
  }

  private nb(name: keyof Row, dimension: number): bigint {
    return this.header.getBigUint64(PARTS.indexOf(name) * TENSOR.src + TENSOR.nb + 8 * dimension, true);
  }

  /** @returns the number of the operation. @throws Error when a tensor of ours does not have at its places what was put there. */
  private checkLayout(): number {
    const [row] = this.rows;
    if (!row) throw new RangeError("no rows");
    const seen = [
      ...[0, 1, 2, 3].map((i) => BigInt(koffi.decode.int64(field(row.k, "ne", i)))),
      ...[0, 1].map((i) => BigInt(koffi.decode.uint64(field(row.k, "nb", i)))),
      ...[0, 1, 2, 3].map((i) => pointerAt(field(row.output, "src", i))),
      BigInt(koffi.decode.int(this.graph + NODE_COUNT)),
    ];
    const expected = [32n, BigInt(CELL_BLOCK), 3n, 1n, 2n, 64n, row.q, row.k, row.v, row.mask, BigInt(ROWS)];
    if (seen.join() !== expected.join()) throw new Error("ggml's tensors are not laid out as expected");
    return koffi.decode.int32(field(row.output, "op"));
  }
}

const PARTS = ["q", "k", "v", "mask", "output"] as const satisfies readonly (keyof Row)[];
/** Where a ggml_cgraph has the number of its nodes. */
const NODE_COUNT = 4n;

const made = new Map<number, RowAttention>();

/** The one of this process for so many threads. @throws what the constructor does. */
export function rowAttention(library: LlamaLibrary, threads: number): RowAttention {
  let rows = made.get(threads);
  if (!rows) made.set(threads, (rows = new RowAttention(library, threads)));
  return rows;
}
