import { messageOf } from "../../errors.js";
import type { TensorObserver } from "./graph-watch.js";
import type { Pointer } from "./native-array.js";

/** Looks at a graph while it runs. Native code calls it, so nothing may be thrown there: what is wrong is kept, and thrown when the graph has run. */
export abstract class GraphTap implements TensorObserver {
  private fault: string | undefined;

  abstract wants(tensor: Pointer, start: bigint): boolean;
  abstract computed(tensor: Pointer, start: bigint): void;

  /** Keeps what is wrong; of several things the first. */
  protected fail(fault: unknown): void {
    this.fault ??= messageOf(fault);
  }

  protected get hasFailed(): boolean {
    return this.fault !== undefined;
  }

  /** Set while the graph ran. */
  private faultSeen(): string | undefined {
    return this.fault;
  }

  /**
   * Evaluates with the tap open.
   * @param missing asked afterwards what was not seen, undefined where all was.
   * @throws Error when llama.cpp's graph was not as expected: then nothing seen may be used.
   */
  protected during<T>(evaluate: () => T, missing: () => string | undefined = () => undefined): T {
    this.fault = undefined;
    const result = evaluate();
    const fault = this.faultSeen() ?? missing();
    if (fault !== undefined) throw new Error(fault);
    return result;
  }
}
