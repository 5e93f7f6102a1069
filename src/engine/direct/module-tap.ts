import koffi from "koffi";
import { at } from "../../assert.js";
import { field, GGML_TYPES, nameOf } from "./ggml-tensor.js";
import { GraphTap } from "./graph-tap.js";
import type { LlamaLibrary } from "./llama-library.js";
import { allocate, pointerAt, release, type NativeArray, type Pointer } from "./native-array.js";

/** A weight of a layer, and the B of an adapter's update of one. */
const WEIGHT = /^blk\.\d+\.\w+\.weight$/;
const UPDATE_SUFFIX = ".lora_b";

/** Rows of a tensor, float32 [count, length]; valid until the next are read. Where experts compute, a token has a row for each that it goes through. */
export interface TensorRows {
  /** Where the tensor itself lies: the same for all who read it in one batch. */
  readonly tensor: Pointer;
  readonly count: number;
  /** How many tokens the rows are of. */
  readonly tokens: number;
  readonly length: number;
  readonly values: Float32Array;
}

/** Who is shown the products of a layer's weights, batch by batch. */
export interface ProductObserver {
  /** W x. @param read its rows, or those of x. */
  product?(name: string, read: (which: "input" | "output") => TensorRows): void;
  /** The same for a weight that has a matrix for each expert. */
  expertProduct?(name: string, read: (which: "input" | "output") => TensorRows): void;
  /** s B A x, as it is added to W x. */
  update?(name: string, read: () => TensorRows): void;
}

type Product = { readonly kind: "product" | "expertProduct" | "update"; readonly name: string };

/**
 * Shows what llama.cpp multiplies with the weights of its layers. Its graphs have W x as a product whose first operand is the weight, and for
 * each adapter the scaled product of B and A x (llm_graph_context::build_lora_mm, and build_lora_mm_id for experts).
 */
export class ModuleTap extends GraphTap {
  private readonly operations: { readonly product: number; readonly expertProduct: number; readonly scale: number };
  /** Names by the address of a weight: weights stay where they are, and nothing else is ever put there. */
  private readonly names = new Map<Pointer, string>();
  private buffer: NativeArray<Float32Array> | undefined;
  private rows = 0;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly observer: ProductObserver,
  ) {
    super();
    const { ggml } = library;
    this.operations = {
      product: ggml.operation("MUL_MAT"),
      expertProduct: ggml.operation("MUL_MAT_ID"),
      scale: ggml.operation("SCALE"),
    };
  }

  /**
   * Evaluates with the tap open.
   * @param rows of the batch that `evaluate` evaluates, all of them outputs.
   * @throws Error when llama.cpp's graph was not as expected: then nothing shown may be used.
   */
  watch(rows: number, evaluate: () => unknown): void {
    this.rows = rows;
    try {
      this.during(evaluate);
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
      if (product.kind === "update") this.observer.update?.(product.name, () => this.read(tensor));
      else
        this.observer[product.kind]?.(product.name, (which) =>
          this.read(which === "output" ? tensor : operand(tensor, 1)),
        );
    } catch (error) {
      this.fail(error);
    }
  }

  close(): void {
    if (this.buffer) release(this.library, this.buffer);
    this.buffer = undefined;
  }

  private productOf(tensor: Pointer): Product | undefined {
    const operation = koffi.decode.int32(field(tensor, "op"));
    const kind = this.kindOf(operation);
    if (kind !== undefined) {
      const name = this.nameAt(operand(tensor, 0));
      return WEIGHT.test(name) ? { kind, name } : undefined;
    }
    if (operation !== this.operations.scale) return undefined;
    const scaled = operand(tensor, 0);
    if (this.kindOf(koffi.decode.int32(field(scaled, "op"))) === undefined) return undefined;
    const name = this.nameAt(operand(scaled, 0));
    if (!name.endsWith(UPDATE_SUFFIX)) return undefined;
    const weight = name.slice(0, -UPDATE_SUFFIX.length);
    return WEIGHT.test(weight) ? { kind: "update", name: weight } : undefined;
  }

  private kindOf(operation: number): "product" | "expertProduct" | undefined {
    if (operation === this.operations.product) return "product";
    return operation === this.operations.expertProduct ? "expertProduct" : undefined;
  }

  private nameAt(tensor: Pointer): string {
    const known = this.names.get(tensor);
    if (known !== undefined) return known;
    const name = nameOf(tensor);
    if (name.startsWith("blk.")) this.names.set(tensor, name);
    return name;
  }

  /** @throws Error for a tensor that is not rows of floats, as many for each token of the batch. */
  private read(tensor: Pointer): TensorRows {
    const sizes = [0, 1, 2, 3].map((i) => Number(koffi.decode.int64(field(tensor, "ne", i))));
    const [length, inner, outer] = [at(sizes, 0), at(sizes, 1), at(sizes, 2)];
    const count = inner * outer;
    // Rows of experts: [length, experts of a token, tokens]. Otherwise the tokens are in the second dimension, and the third is 1.
    if (at(sizes, 3) !== 1 || (outer !== this.rows && count !== this.rows)) {
      throw new Error(`${nameOf(tensor)} is [${sizes.join(", ")}], ${this.rows} rows expected`);
    }
    const strides = [1, 2].map((i) => Number(koffi.decode.uint64(field(tensor, "nb", i))));
    const type = koffi.decode.int32(field(tensor, "type"));
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    if (type !== GGML_TYPES.F32 || strides[0] !== bytes || (outer > 1 && strides[1] !== inner * bytes)) {
      throw new Error(`${nameOf(tensor)} is not made of rows of floats`);
    }
    const { address, values } = this.bufferFor(count * length);
    this.library.readTensor(tensor, address, 0, count * bytes);
    return { tensor, count, tokens: this.rows, length, values: values.subarray(0, count * length) };
  }

  private bufferFor(length: number): NativeArray<Float32Array> {
    if (this.buffer && this.buffer.values.length >= length) return this.buffer;
    this.close();
    return (this.buffer = allocate(this.library, Float32Array, length));
  }
}

function operand(tensor: Pointer, index: number): Pointer {
  return pointerAt(field(tensor, "src", index));
}
