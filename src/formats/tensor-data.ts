import { writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/** A tensor whose data comes in chunks. `data` must yield exactly `byteLength` bytes. */
interface TensorData {
  readonly name: string;
  readonly byteLength: number;
  readonly data: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** After so many bytes the disk is set to work, beside what comes next. */
const FLUSH_BYTES = 96 << 20;

/**
 * Writes tensors at the end of a file, chunk by chunk, so that memory does not grow with their size. The data is on its way to the disk
 * when this returns; the caller's sync waits for the rest.
 * @param alignment each tensor is followed by zeros up to the next multiple of it, in bytes.
 * @throws RangeError when the data of one is not as long as announced.
 */
export async function writeTensors(handle: FileHandle, tensors: readonly TensorData[], alignment = 1): Promise<void> {
  let flushing = Promise.resolve();
  let waiting = 0;
  for (const tensor of tensors) {
    let written = 0;
    for await (const chunk of tensor.data()) {
      writeAll(handle, chunk);
      written += chunk.byteLength;
      waiting += chunk.byteLength;
      if (waiting < FLUSH_BYTES) continue;
      waiting = 0;
      await flushing;
      flushing = handle.datasync();
      // Awaited above or below; until then a failure is not unheard of.
      flushing.catch(() => undefined);
    }
    if (written !== tensor.byteLength) {
      throw new RangeError(`tensor ${tensor.name}: ${written} bytes of data, ${tensor.byteLength} announced`);
    }
    writeAll(handle, Buffer.alloc((alignment - (written % alignment)) % alignment));
  }
  await flushing;
}

/** At the handle's own position. Synchronous for the reason that FileSource.stream has. */
function writeAll({ fd }: FileHandle, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength;) done += writeSync(fd, bytes, done, bytes.byteLength - done);
}
