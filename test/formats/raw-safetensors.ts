/** A safetensors file written by hand, so that a test can write what the writer would refuse. */
export function rawSafetensors(json: string | Buffer, dataBytes = 0, headerLength?: number | bigint): Buffer {
  const header = Buffer.from(json);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength ?? header.length));
  return Buffer.concat([length, header, Buffer.alloc(dataBytes)]);
}

/** The JSON of one tensor, `"name":{...}`. Values are put in as they are, sound or not. */
export function rawEntry(name: string, dtype: unknown, shape: unknown, offsets: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`;
}
