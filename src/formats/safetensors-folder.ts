import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileError, FileError, FormatError } from "../errors.js";
import { withFileSource } from "../files/file-source.js";
import { withStamp, type FileStamp } from "../files/file-stamp.js";
import { JsonCursor } from "./json-cursor.js";
import { assertNotPlaceholder } from "./placeholder-file.js";
import { printable } from "../files/printable.js";
import {
  decodeUtf8,
  MAX_HEADER_BYTES,
  readSafetensorsHeader,
  readStringMap,
  type SafetensorsHeader,
  type SafetensorsTensor,
} from "./safetensors-reader.js";

/** The tensors of a folder, and the files they lie in: one, or the shards in the order in which the index first names them. */
export interface SafetensorsFolder {
  readonly files: readonly SafetensorsHeader[];
  /** Of the index, where there is one, and of the files, from before they were read. */
  readonly stamps: readonly FileStamp[];
  readonly tensors: readonly SafetensorsTensor[];
}

/**
 * Reads the headers of `<stem>.safetensors` in a folder, or else of the shards that `<stem>.safetensors.index.json` names.
 * Tensors that a shard holds beyond the index are kept, as transformers keeps them.
 * @throws FileError when neither is there, FormatError when a file is not sound, an index does not agree with its shards or names a file
 * outside the folder, or when there is only a pickle.
 */
export async function readSafetensorsFolder(folder: string, stem: string): Promise<SafetensorsFolder> {
  const single = join(folder, `${stem}.safetensors`);
  const index = `${single}.index.json`;
  if (await isThere(single)) {
    await checkPlainFile(single);
    const { value: header, stamp } = await withStamp(single, readSafetensorsHeader);
    return { files: [header], stamps: [stamp], tensors: header.tensors };
  }
  if (await isThere(index)) return readShards(folder, index);
  throw await missingError(folder, stem);
}

/**
 * Reads the weight map of an index: tensor name -> file name, in the index's order. File names are checked to be plain names.
 * @throws FormatError when the bytes are no such index.
 */
export function parseSafetensorsIndex(bytes: Uint8Array, path: string): ReadonlyMap<string, string> {
  const cursor = new JsonCursor(decodeUtf8(bytes, path, "the index"), path, "the index");
  let map: ReadonlyMap<string, string> | undefined;
  cursor.object((key) => {
    if (key === "weight_map") map = readStringMap(cursor);
    else cursor.skip();
  });
  cursor.end();
  if (!map) throw indexError(path, "it has no weight_map");
  for (const name of new Set(map.values())) checkShardName(name, path);
  return map;
}

async function readShards(folder: string, index: string): Promise<SafetensorsFolder> {
  const { value: map, stamp: indexStamp } = await withStamp(index, readIndex);
  const files: SafetensorsHeader[] = [];
  const stamps = [indexStamp];
  const tensors = new Map<string, SafetensorsTensor>();
  for (const name of new Set(map.values())) {
    const path = join(folder, name);
    await checkInside(folder, path, index);
    const { value: header, stamp } = await withStamp(path, readSafetensorsHeader);
    files.push(header);
    stamps.push(stamp);
    for (const tensor of header.tensors) {
      const other = tensors.get(tensor.name);
      if (other) {
        throw indexError(index, `tensor ${printable(tensor.name)} lies in ${basename(other.path)} and in ${name}`);
      }
      tensors.set(tensor.name, tensor);
    }
  }
  for (const [tensor, shard] of map) {
    const found = tensors.get(tensor);
    if (found && basename(found.path) === shard) continue;
    const actual = found ? `it in ${basename(found.path)}` : "it nowhere";
    throw indexError(index, `tensor ${printable(tensor)} is not where the index says`, actual, `it in ${shard}`);
  }
  return { files, stamps, tensors: [...tensors.values()] };
}

async function readIndex(path: string): Promise<ReadonlyMap<string, string>> {
  await checkPlainFile(path);
  return withFileSource(path, async (source) => {
    if (source.size > MAX_HEADER_BYTES) {
      throw indexError(path, "it is too large", `${source.size} bytes`, `at most ${MAX_HEADER_BYTES}`);
    }
    const bytes = await source.read(0, source.size);
    assertNotPlaceholder(bytes, path);
    return parseSafetensorsIndex(bytes, path);
  });
}

/** A shard is named by a plain file name, the same on every system: no folder, no drive, nothing hidden. */
function checkShardName(name: string, index: string): void {
  if (/^[^./\\:\p{C}][^/\\:\p{C}]*\.safetensors$/u.test(name) && name.length <= 255) return;
  throw indexError(
    index,
    "it names a shard by something else than a plain file name",
    JSON.stringify(printable(name)),
    "a name that ends in .safetensors, without folders",
  );
}

/** A link may stay in the folder, or lead to the blobs beside it, as the Hugging Face cache keeps its files. */
async function checkInside(folder: string, path: string, index: string): Promise<void> {
  await checkPlainFile(path);
  const root = await realpath(folder);
  const target = await realpath(path);
  if (isInside(root, target)) return;
  const snapshots = root.lastIndexOf(`${sep}snapshots${sep}`);
  if (snapshots > 0 && dirname(target) === join(root.slice(0, snapshots), "blobs")) return;
  throw indexError(index, `the shard ${basename(path)} is a link that leaves the folder`, printable(target));
}

function isInside(root: string, target: string): boolean {
  const way = relative(root, target);
  return way !== ".." && !way.startsWith(`..${sep}`) && join(root, way) === target;
}

/** Opening a pipe would wait for ever, so that only plain files are opened. */
async function checkPlainFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw fileError(path, "read", cause);
  });
  if (found.isFile()) return;
  throw new FileError(path, { what: `cannot read ${path}`, actual: "a folder or device", expected: "a file" });
}

/** Whether there is anything at the path. A folder that cannot be searched is an error, not an absence. */
async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (cause: unknown) => {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return false;
      throw fileError(path, "read", cause);
    },
  );
}

async function missingError(folder: string, stem: string): Promise<FileError | FormatError> {
  if (!(await isThere(folder))) {
    return new FileError(folder, {
      what: `cannot read ${folder}`,
      actual: "no such file or folder",
      fix: "Check the path.",
    });
  }
  const pickle = join(folder, `${stem}.bin`);
  if (!(await isThere(pickle))) {
    return new FileError(folder, {
      what: `${folder} holds no adapter weights`,
      expected: `${stem}.safetensors or ${stem}.safetensors.index.json`,
      fix: "Give the folder that the training tool saved the adapter to.",
    });
  }
  const load = `torch.load('${stem}.bin', weights_only=True)`;
  const script = `from safetensors.torch import save_file; import torch; save_file(${load}, '${stem}.safetensors')`;
  return new FormatError(pickle, {
    what: `${pickle} is a pickle, which can run code when it is read`,
    expected: `${stem}.safetensors`,
    fix: `Convert it inside its folder: python -c "${script}"`,
  });
}

function indexError(path: string, what: string, actual?: string, expected?: string): FormatError {
  return new FormatError(path, {
    what: `${path}: ${what}`,
    ...(actual === undefined ? {} : { actual }),
    ...(expected === undefined ? {} : { expected }),
    fix: "The folder is incomplete or was written by a faulty tool: fetch or save the adapter again.",
  });
}
