import { writeFileAtomic } from "../files/atomic-file.js";
import { safetensorsByteLength, type SafetensorsDtype } from "./safetensors-dtype.js";
import { LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY } from "./safetensors-reader.js";
import { writeTensors } from "./tensor-data.js";

/** A tensor to be written. `data` must yield exactly `byteLength` bytes. `shape` in PyTorch's order. */
export interface SafetensorsTensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly data: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes a safetensors file atomically, tensor after tensor in the given order, so that memory does not grow with its size.
 * @throws FileError when the target exists and `overwrite` is false, or when writing fails; RangeError before anything is written when
 * the tensors cannot make a sound file: a name twice, empty or reserved, or a byteLength that is not that of the shape.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly SafetensorsTensorToWrite[],
  metadata: ReadonlyMap<string, string>,
  { overwrite }: { overwrite: boolean },
): Promise<void> {
  const header = headerBytes(tensors, metadata);
  await writeFileAtomic(
    path,
    async (handle) => {
      await handle.writeFile(header);
      await writeTensors(handle, tensors);
    },
    { overwrite },
  );
}

/** Length and JSON. Text is joined by hand because an object would put keys that look like numbers first. */
function headerBytes(tensors: readonly SafetensorsTensorToWrite[], metadata: ReadonlyMap<string, string>): Buffer {
  const entries: string[] = [];
  if (metadata.size > 0) {
    const pairs = [...metadata].map(([key, value]) => `${text(key)}:${text(value)}`);
    entries.push(`${text(METADATA_KEY)}:{${pairs.join(",")}}`);
  }
  const names = new Set<string>([METADATA_KEY, ""]);
  let offset = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    if (names.has(name)) throw new RangeError(`the tensor name ${JSON.stringify(name)} is taken`);
    names.add(name);
    if (byteLength !== safetensorsByteLength(dtype, shape)) {
      throw new RangeError(`tensor ${name}: ${byteLength} bytes announced for ${dtype} [${shape.join(", ")}]`);
    }
    const data_offsets = [offset, (offset += byteLength)];
    entries.push(`${text(name)}:${JSON.stringify({ dtype, shape, data_offsets })}`);
  }
  const json = Buffer.from(`{${entries.join(",")}}`, "utf8");
  // Spaces behind the JSON are part of the header; they start the data on a multiple of 8 bytes.
  const padding = Buffer.alloc((8 - (json.length % 8)) % 8, " ");
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  if (json.length + padding.length > MAX_HEADER_BYTES) {
    throw new RangeError(`a header of ${json.length} bytes, readers take ${MAX_HEADER_BYTES}`);
  }
  return Buffer.concat([length, json, padding]);
}

function text(value: string): string {
  if (/\p{Cs}/u.test(value)) throw new RangeError(`${JSON.stringify(value)} holds half of a surrogate pair`);
  return JSON.stringify(value);
}
