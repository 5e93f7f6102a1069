/** Fields of a GGUF file written by hand, so that a test can write what the writer would refuse. */

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

/** A metadata entry: key, number of its type, bytes of its value. */
export function entry(key: string | Buffer, type: number, ...value: readonly Buffer[]): Buffer {
  return Buffer.concat([text(key), u32(type), ...value]);
}

export interface RawTensor {
  readonly name: string;
  readonly dims: readonly (number | bigint)[];
  /** Number of the ggml type. */
  readonly type: number;
  readonly offset: number;
}

export interface RawGguf {
  readonly version?: number;
  readonly tensorCount?: number | bigint;
  readonly entryCount?: number | bigint;
  readonly entries?: readonly Buffer[];
  readonly tensors?: readonly RawTensor[];
  /** Bytes behind the header, from the next multiple of 32 on. */
  readonly data?: number;
}

/** The bytes of a GGUF file whose counts are those of its parts unless they are given. */
export function rawGguf(parts: RawGguf): Buffer {
  const { version = 3, entries = [], tensors = [], data = 0 } = parts;
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    u32(version),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.entryCount ?? entries.length),
    ...entries,
    ...tensors.map(({ name, dims, type, offset }) =>
      Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]),
    ),
  ]);
  const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
  return Buffer.concat([header, padding, Buffer.alloc(data)]);
}
