import koffi from "koffi";

/** An address in this process; 0n is null. */
export type Pointer = bigint;

type TypedArray = Uint8Array | Int8Array | Int32Array | Float32Array | BigUint64Array;
type TypedArrayClass<T extends TypedArray> = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): T;
};

/** The C library's memory. */
export interface Heap {
  readonly malloc: (bytes: number) => Pointer | null;
  readonly free: (address: Pointer) => void;
}

/** An array in memory that native code may keep hold of: the garbage collector never moves it. */
export interface NativeArray<T extends TypedArray> {
  readonly address: Pointer;
  readonly values: T;
}

/** Takes memory for `length` elements until {@link release}. */
export function allocate<T extends TypedArray>(
  library: Heap,
  Class: TypedArrayClass<T>,
  length: number,
): NativeArray<T> {
  const bytes = Math.max(8, length * Class.BYTES_PER_ELEMENT);
  const address = library.malloc(bytes);
  if (address === null) throw new RangeError(`no memory for ${bytes} bytes`);
  let view: T | undefined;
  return {
    address,
    // Only when asked for: the garbage collector counts what is seen of native memory as its own, and runs the more often.
    get values() {
      return (view ??= viewOf(Class, address, length));
    },
  };
}

export function release(library: Heap, array: NativeArray<TypedArray>): void {
  library.free(array.address);
}

/**
 * Memory that is used again and again and grows with what it has to hold. Taking it anew each time would cost page faults, and the views of
 * it would make the garbage collector run beside the engine, whose threads then wait for each other.
 */
export class NativeScratch {
  private array: NativeArray<Uint8Array> | undefined;

  constructor(private readonly library: Heap) {}

  /** At least so many bytes; what was there before is gone. */
  take(bytes: number): NativeArray<Uint8Array> {
    if (this.array && this.array.values.length >= bytes) return this.array;
    this.close();
    this.array = allocate(this.library, Uint8Array, Math.ceil(bytes * GROWTH));
    return this.array;
  }

  close(): void {
    if (this.array) release(this.library, this.array);
    this.array = undefined;
  }
}

/** Prompts differ in length: room for somewhat longer ones. */
const GROWTH = 1.25;

/** What lies at an address, without copying. The view must not be used once the memory is gone. */
export function viewOf<T extends TypedArray>(Class: TypedArrayClass<T>, address: Pointer, length: number): T {
  return new Class(koffi.view(address, length * Class.BYTES_PER_ELEMENT));
}

/** The pointer that lies at an address. */
export function pointerAt(address: Pointer): Pointer {
  return BigInt(koffi.decode.uint64(address));
}
