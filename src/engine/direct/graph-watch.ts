import koffi from "koffi";
import { field } from "./ggml-tensor.js";
import type { LlamaLibrary } from "./llama-library.js";
import type { Pointer } from "./native-array.js";

/** What looks at tensors of llama.cpp's graphs as they are computed. No function may throw: native code calls them. */
export interface TensorObserver {
  /** @param start first eight bytes of the tensor's name, as a little-endian number. */
  wants(tensor: Pointer, start: bigint): boolean;
  /** The tensor that was wanted, and what it is computed from since the last that was, is about to be computed. */
  beforehand?(tensor: Pointer): void;
  /** The tensor that was wanted is there. */
  computed(tensor: Pointer, start: bigint): void;
}

/** The first eight bytes of a tensor's name. */
export function nameStart(text: string): bigint {
  return Buffer.from(text.padEnd(8, "\0"), "latin1").readBigUInt64LE();
}

/** A callback for contexts' parameter `cb_eval` (ggml_backend_sched_eval_callback), and who is told of what. */
export class GraphWatch {
  readonly callback: Pointer;

  constructor(
    private readonly library: LlamaLibrary,
    private readonly observers: readonly TensorObserver[],
  ) {
    this.callback = library.registerEvaluation((tensor, ask) => this.onTensor(tensor, ask));
  }

  /** All contexts that have it must be closed. */
  close(): void {
    this.library.forgetEvaluation(this.callback);
  }

  /** Asked before a tensor is computed whether its value is wanted, and called again when it is there. True goes on. */
  private onTensor(tensor: Pointer, ask: boolean): boolean {
    const start = BigInt(koffi.decode.uint64(field(tensor, "name")));
    for (const observer of this.observers) {
      if (!observer.wants(tensor, start)) continue;
      if (ask) observer.beforehand?.(tensor);
      else observer.computed(tensor, start);
      return true;
    }
    return !ask;
  }
}
