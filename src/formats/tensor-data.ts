import { writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/** A tensor whose data comes in chunks. `data` must yield exactly `byteLength` bytes. */
interface TensorData {
  readonly name: string;
  readonly byteLength: number;
  readonly data: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes a tensor's data chunk by chunk at the end of a file, so that memory does not grow with its size.
 * @throws RangeError when the data is not as long as announced.
 */
export async function writeTensorData(handle: FileHandle, tensor: TensorData): Promise<void> {
  let written = 0;
  for await (const chunk of tensor.data()) {
    writeAll(handle, chunk);
    written += chunk.byteLength;
  }
  if (written !== tensor.byteLength) {
    throw new RangeError(`tensor ${tensor.name}: ${written} bytes of data, ${tensor.byteLength} announced`);
  }
}

/** At the handle's own position. Synchronous for the reason that FileSource.stream has. */
function writeAll({ fd }: FileHandle, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength;) done += writeSync(fd, bytes, done, bytes.byteLength - done);
}
