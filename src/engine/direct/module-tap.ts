import koffi from "koffi";
import { messageOf } from "../../errors.js";
import { field, GGML_TYPES, nameOf } from "./ggml-tensor.js";
import type { TensorObserver } from "./graph-watch.js";
import type { LlamaLibrary } from "./llama-library.js";
import { allocate, pointerAt, release, type NativeArray, type Pointer } from "./native-array.js";

/** A weight of a layer, and the B of an adapter's update of one. */
const WEIGHT = /^blk\.\d+\.\w+\.weight$/;
const UPDATE_SUFFIX = ".lora_b";

/** Rows of a tensor, float32 [count, length]; valid until the next are read. */
export interface TensorRows {
  /** Where the tensor itself lies: the same for all who read it in one batch. */
  readonly tensor: Pointer;
  readonly count: number;
  readonly length: number;
  readonly values: Float32Array;
}

/** Who is shown the products of a layer's weights, batch by batch. */
export interface ProductSight {
  /** W x. @param read its rows, or those of x. */
  product?(name: string, read: (which: "input" | "output") => TensorRows): void;
  /** s B A x, as it is added to W x. */
  update?(name: string, read: () => TensorRows): void;
}

type Product = { readonly kind: "product" | "update"; readonly name: string };

/**
 * Shows what llama.cpp multiplies with the weights of its layers. Its graphs have W x as a product whose first operand is the weight, and for
 * each adapter the scaled product of B and A x (llm_graph_context::build_lora_mm).
 */
export class ModuleTap implements TensorObserver {
  private readonly operations: { readonly product: number; readonly scale: number };
  /** Names by the address of a weight: weights stay where they are, and nothing else is ever put there. */
  private readonly names = new Map<Pointer, string>();
  private buffer: NativeArray<Float32Array> | undefined;
  private rows = 0;
  private fault: string | undefined;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly sight: ProductSight,
  ) {
    this.operations = { product: library.ggml.operation("MUL_MAT"), scale: library.ggml.operation("SCALE") };
  }

  /**
   * Evaluates with the tap open.
   * @param rows of the batch that `evaluate` evaluates, all of them outputs.
   * @throws Error when llama.cpp's graph was not as expected: then nothing shown may be used.
   */
  watch(rows: number, evaluate: () => unknown): void {
    this.rows = rows;
    this.fault = undefined;
    try {
      evaluate();
      const fault = this.faultSeen();
      if (fault !== undefined) throw new Error(fault);
    } finally {
      this.rows = 0;
    }
  }

  wants(tensor: Pointer): boolean {
    return this.rows > 0 && this.productOf(tensor) !== undefined;
  }

  computed(tensor: Pointer): void {
    const product = this.productOf(tensor);
    if (!product) return;
    try {
      if (product.kind === "update") this.sight.update?.(product.name, () => this.read(tensor));
      else this.sight.product?.(product.name, (which) => this.read(which === "output" ? tensor : operand(tensor, 1)));
    } catch (error) {
      this.fault ??= messageOf(error);
    }
  }

  close(): void {
    if (this.buffer) release(this.library, this.buffer);
    this.buffer = undefined;
  }

  /** Set while the graph ran. */
  private faultSeen(): string | undefined {
    return this.fault;
  }

  private productOf(tensor: Pointer): Product | undefined {
    const operation = koffi.decode.int32(field(tensor, "op"));
    if (operation === this.operations.product) {
      const name = this.nameAt(operand(tensor, 0));
      return WEIGHT.test(name) ? { kind: "product", name } : undefined;
    }
    if (operation !== this.operations.scale) return undefined;
    const scaled = operand(tensor, 0);
    if (koffi.decode.int32(field(scaled, "op")) !== this.operations.product) return undefined;
    const name = this.nameAt(operand(scaled, 0));
    if (!name.endsWith(UPDATE_SUFFIX)) return undefined;
    const weight = name.slice(0, -UPDATE_SUFFIX.length);
    return WEIGHT.test(weight) ? { kind: "update", name: weight } : undefined;
  }

  private nameAt(tensor: Pointer): string {
    const known = this.names.get(tensor);
    if (known !== undefined) return known;
    const name = nameOf(tensor);
    if (name.startsWith("blk.")) this.names.set(tensor, name);
    return name;
  }

  /** @throws Error for a tensor that is not rows of floats, one for each row of the batch. */
  private read(tensor: Pointer): TensorRows {
    const [length, count, ...more] = [0, 1, 2, 3].map((i) => Number(koffi.decode.int64(field(tensor, "ne", i))));
    const stride = Number(koffi.decode.uint64(field(tensor, "nb", 1)));
    const type = koffi.decode.int32(field(tensor, "type"));
    if (length === undefined || count !== this.rows || more.some((size) => size !== 1)) {
      throw new Error(`${nameOf(tensor)} has ${count} rows of ${length}, ${this.rows} expected`);
    }
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    if (type !== GGML_TYPES.F32 || stride !== bytes) throw new Error(`${nameOf(tensor)} is not made of rows of floats`);
    const { address, values } = this.room(count * length);
    this.library.readTensor(tensor, address, 0, count * bytes);
    return { tensor, count, length, values: values.subarray(0, count * length) };
  }

  private room(length: number): NativeArray<Float32Array> {
    if (this.buffer && this.buffer.values.length >= length) return this.buffer;
    this.close();
    return (this.buffer = allocate(this.library, Float32Array, length));
  }
}

function operand(tensor: Pointer, index: number): Pointer {
  return pointerAt(field(tensor, "src", index));
}
