import type { FileHandle } from "node:fs/promises";
import { writeFileAtomic } from "../files/atomic-file.js";
import { ggmlTypeId, type GgmlType } from "./ggml-types.js";
import { roundUp } from "./gguf-reader.js";
import {
  GGUF_ARRAY,
  ggufScalarTypes,
  metadataNumber,
  type GgufMetadata,
  type GgufScalar,
  type GgufScalarType,
} from "./gguf-value.js";
import { writeTensors } from "./tensor-data.js";

/** A tensor to be written. `data` must yield exactly `byteLength` bytes. `dims` in ggml's order. */
export interface GgufTensorToWrite {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: GgmlType;
  readonly byteLength: number;
  readonly data: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes a GGUF version 3 file atomically, tensor after tensor, so that memory does not grow with its size.
 * The alignment is taken from `general.alignment` (32 bytes by default).
 * @param options.late metadata that replaces the given one once the tensors are written, such as a hash that takes as long as writing
 * does. Its values must take as many bytes as those they replace.
 * @throws FileError when the target exists and `overwrite` is false, or when writing fails.
 */
export async function writeGguf(
  path: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensorToWrite[],
  { overwrite = false, late }: { overwrite?: boolean; late?: Promise<GgufMetadata> } = {},
): Promise<void> {
  const alignment = metadataNumber(metadata, "general.alignment") ?? 32;
  await writeFileAtomic(
    path,
    async (handle) => {
      const header = headerBytes(metadata, tensors, alignment);
      await handle.writeFile(header);
      await writeTensors(handle, tensors, alignment);
      if (late) await replaceHeader(handle, header.byteLength, headerBytes(await late, tensors, alignment));
    },
    { overwrite },
  );
}

async function replaceHeader(handle: FileHandle, byteLength: number, header: Buffer): Promise<void> {
  if (header.byteLength !== byteLength) {
    throw new RangeError(`the late header has ${header.byteLength} bytes, the first one ${byteLength}`);
  }
  await handle.write(header, 0, byteLength, 0);
}

/** The header with its padding, so that the data section starts right behind it. */
function headerBytes(metadata: GgufMetadata, tensors: readonly GgufTensorToWrite[], alignment: number): Buffer {
  const parts: Buffer[] = [Buffer.from("GGUF", "latin1"), uint32(3), uint64(tensors.length), uint64(metadata.size)];
  for (const [key, entry] of metadata) {
    parts.push(string(key));
    if (entry.type === "array") {
      parts.push(uint32(GGUF_ARRAY), uint32(scalarTypeId(entry.itemType)), uint64(entry.value.length));
      for (const item of entry.value) parts.push(scalar(entry.itemType, item));
    } else {
      parts.push(uint32(scalarTypeId(entry.type)), scalar(entry.type, entry.value));
    }
  }
  let offset = 0;
  for (const tensor of tensors) {
    const typeId = ggmlTypeId(tensor.type.name);
    if (typeId === undefined) throw new RangeError(`tensor ${tensor.name}: unknown type ${tensor.type.name}`);
    parts.push(
      string(tensor.name),
      uint32(tensor.dims.length),
      ...tensor.dims.map(uint64),
      uint32(typeId),
      uint64(offset),
    );
    offset += roundUp(tensor.byteLength, alignment);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(Buffer.alloc(roundUp(length, alignment) - length));
  return Buffer.concat(parts);
}

function scalarTypeId(type: GgufScalarType): number {
  return Number(Object.entries(ggufScalarTypes).find(([, name]) => name === type)?.[0]);
}

function scalar(type: GgufScalarType, value: GgufScalar): Buffer {
  if (type === "string") return string(String(value));
  const buffer = Buffer.alloc(8);
  switch (type) {
    case "uint8":
      return buffer.subarray(0, buffer.writeUInt8(Number(value)));
    case "int8":
      return buffer.subarray(0, buffer.writeInt8(Number(value)));
    case "uint16":
      return buffer.subarray(0, buffer.writeUInt16LE(Number(value)));
    case "int16":
      return buffer.subarray(0, buffer.writeInt16LE(Number(value)));
    case "uint32":
      return buffer.subarray(0, buffer.writeUInt32LE(Number(value)));
    case "int32":
      return buffer.subarray(0, buffer.writeInt32LE(Number(value)));
    case "float32":
      return buffer.subarray(0, buffer.writeFloatLE(Number(value)));
    case "bool":
      return buffer.subarray(0, buffer.writeUInt8(value === true ? 1 : 0));
    case "uint64":
      return buffer.subarray(0, buffer.writeBigUInt64LE(BigInt(value)));
    case "int64":
      return buffer.subarray(0, buffer.writeBigInt64LE(BigInt(value)));
    case "float64":
      return buffer.subarray(0, buffer.writeDoubleLE(Number(value)));
  }
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function uint64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([uint64(bytes.length), bytes]);
}
