import { FormatError } from "../errors.js";
import { withFileSource, type FileSource } from "../files/file-source.js";
import { readPickle, type PickledTensor } from "./pickle.js";
import { safetensorsByteLength } from "./safetensors-dtype.js";
import type { SafetensorsTensor } from "./safetensors-reader.js";

/** What torch.save wrote: the table of its tensors. Their data lies in the file as it is, as in a safetensors file. */
export interface TorchFile {
  readonly path: string;
  readonly fileSize: number;
  readonly tensors: readonly SafetensorsTensor[];
}

/** A file in a zip archive that is stored without compression. `offset` of its data from the start of the archive. */
interface Entry {
  readonly offset: number;
  readonly size: number;
}

const END_OF_DIRECTORY = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const MAX_DIRECTORY_BYTES = 64 << 20;
const MAX_PICKLE_BYTES = 64 << 20;

/**
 * Reads the tensors that torch.save (of PyTorch 1.6 and later) put into a zip archive, as far as they are a flat dictionary of plain
 * tensors. Nothing of the pickle is executed: it is read by {@link readPickle}, which knows only what such a dictionary needs.
 * Source: torch/serialization.py, _save; PKWARE APPNOTE.TXT 4.3.
 * @throws FileError when the file cannot be read; FormatError for anything else than such a file.
 */
export async function readTorchFile(path: string): Promise<TorchFile> {
  return withFileSource(path, async (source) => {
    const entries = await readDirectory(source);
    const name = [...entries.keys()].find((key) => /(?:^|\/)data\.pkl$/.test(key));
    const pickle = name === undefined ? undefined : entries.get(name);
    if (!pickle || name === undefined) throw unusable(path, "it holds no data.pkl");
    if (pickle.size > MAX_PICKLE_BYTES) throw unusable(path, `its data.pkl has ${pickle.size} bytes`);
    const folder = name.slice(0, -"data.pkl".length);
    const found = readPickle(await source.read(pickle.offset, pickle.size), (what) => unusable(path, what));
    const order = entries.get(`${folder}byteorder`);
    if (order && (await source.read(order.offset, Math.min(order.size, 16))).toString("latin1") !== "little")
      throw unusable(path, "its numbers are not little-endian");
    const tensors = [...found].map(([key, tensor]) =>
      located(path, key, tensor, entries.get(`${folder}data/${tensor.storage}`)),
    );
    return { path, fileSize: source.size, tensors };
  });
}

function located(path: string, name: string, tensor: PickledTensor, entry: Entry | undefined): SafetensorsTensor {
  const { dtype, shape, strides, first } = tensor;
  let step = 1;
  for (const [i, length] of [...shape.entries()].reverse()) {
    if (length > 1 && strides[i] !== step) throw unusable(path, `${name} is a transposed or sliced view`);
    step *= length;
  }
  const byteLength = safetensorsByteLength(dtype, shape);
  const size = safetensorsByteLength(dtype, [first]);
  if (!entry || byteLength === undefined || size === undefined || size + byteLength > entry.size)
    throw unusable(path, `the data of ${name} is not in it`);
  return { name, dtype, shape, path, offset: entry.offset + size, byteLength };
}

async function readDirectory(source: FileSource): Promise<ReadonlyMap<string, Entry>> {
  const { path, size } = source;
  const tailBytes = Math.min(size, END_BYTES + MAX_COMMENT_BYTES);
  const tail = await source.read(size - tailBytes, tailBytes);
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || tail.length - end < END_BYTES || tail.readUInt32LE(end) !== END_OF_DIRECTORY)
    throw unusable(path, "it is not the zip archive that torch.save writes since PyTorch 1.6");
  const { start, bytes } = await directoryPlace(source, tail, end);
  if (bytes > MAX_DIRECTORY_BYTES || start + bytes > size) throw unusable(path, "its directory is damaged");
  const directory = await source.read(start, bytes);
  const entries = new Map<string, Entry>();
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50;) {
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset));
    const nameEnd = at + 46 + (nameBytes ?? 0);
    const name = directory.toString("utf8", at + 46, nameEnd);
    const extra = directory.subarray(nameEnd, nameEnd + (extraBytes ?? 0));
    const isStored = directory.readUInt16LE(at + 10) === 0;
    const wide = wideFields(extra, [
      directory.readUInt32LE(at + 24),
      directory.readUInt32LE(at + 20),
      directory.readUInt32LE(at + 42),
    ]);
    const [length = 0, , header = 0] = wide;
    if (!isStored) throw unusable(path, `${name} in it is compressed`);
    const local = await source.read(header, 30);
    const offset = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
    if (offset + length > size) throw unusable(path, `${name} in it ends behind its end`);
    entries.set(name, { offset, size: length });
    at = nameEnd + (extraBytes ?? 0) + (commentBytes ?? 0);
  }
  return entries;
}

/** Where the central directory lies; in archives beyond 4 GB a record of its own says so. */
async function directoryPlace(
  source: FileSource,
  tail: Buffer,
  end: number,
): Promise<{ start: number; bytes: number }> {
  const place = { start: tail.readUInt32LE(end + 16), bytes: tail.readUInt32LE(end + 12) };
  if (place.start !== 0xffffffff && place.bytes !== 0xffffffff) return place;
  if (end < 20 || tail.readUInt32LE(end - 20) !== 0x07064b50) throw unusable(source.path, "its directory is damaged");
  const record = await source.read(Number(tail.readBigUInt64LE(end - 12)), 56);
  return { start: Number(record.readBigUInt64LE(48)), bytes: Number(record.readBigUInt64LE(40)) };
}

/** Sizes of 32 bits, replaced by those of 64 bits in the extra field where they are all ones. */
function wideFields(extra: Buffer, narrow: readonly number[]): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let field = at + 4;
    return narrow.map((value) => {
      if (value !== 0xffffffff) return value;
      const wide = Number(extra.readBigUInt64LE(field));
      field += 8;
      return wide;
    });
  }
  return [...narrow];
}

function unusable(path: string, what: string): FormatError {
  const load = `torch.load('adapter_model.bin', weights_only=True)`;
  const script = `from safetensors.torch import save_file; import torch; save_file({k: v.contiguous() for k, v in ${load}.items()}, 'adapter_model.safetensors')`;
  return new FormatError(path, {
    what: `${path} is a pickle (PyTorch), which can run code, and more than its plain tensors would have to be read: ${what}`,
    fix: `Convert it inside its folder: python -c "${script}"`,
  });
}
