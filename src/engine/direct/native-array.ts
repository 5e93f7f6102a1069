import koffi from "koffi";
import type { LlamaLibrary } from "./llama-library.js";

/** An address in this process; 0n is null. */
export type Pointer = bigint;

type TypedArray = Uint8Array | Int8Array | Int32Array | Float32Array | BigUint64Array;
type TypedArrayClass<T extends TypedArray> = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): T;
};

/** An array in memory that native code may keep hold of: the garbage collector never moves it. */
export interface NativeArray<T extends TypedArray> {
  readonly address: Pointer;
  readonly values: T;
}

/** Takes memory for `length` elements until {@link release}. */
export function allocate<T extends TypedArray>(
  library: LlamaLibrary,
  Class: TypedArrayClass<T>,
  length: number,
): NativeArray<T> {
  const bytes = Math.max(8, length * Class.BYTES_PER_ELEMENT);
  const address = library.malloc(bytes);
  if (address === null) throw new RangeError(`no memory for ${bytes} bytes`);
  return { address, values: viewOf(Class, address, length) };
}

export function release(library: LlamaLibrary, array: NativeArray<TypedArray>): void {
  library.free(array.address);
}

/** What lies at an address, without copying. The view must not be used once the memory is gone. */
export function viewOf<T extends TypedArray>(Class: TypedArrayClass<T>, address: Pointer, length: number): T {
  return new Class(koffi.view(address, length * Class.BYTES_PER_ELEMENT));
}

/** The pointer that lies at an address. */
export function pointerAt(address: Pointer): Pointer {
  return BigInt(koffi.decode.uint64(address));
}
