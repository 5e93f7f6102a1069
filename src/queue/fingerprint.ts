import { createHash } from "node:crypto";
import type { BaseModel } from "../adapter/base-model.js";
import { withFileSource } from "../files/file-source.js";
import type { HashedStamp } from "../files/file-stamp.js";
import { hashStamped } from "../files/input-files.js";
import { readGgufHeader } from "../formats/gguf-reader.js";
import { stableJson } from "../files/stable-json.js";
import { digest } from "../files/digest.js";

/** Blocks that are sampled of each file, evenly spread, and their bytes: 4 MiB of a model of any size. */
const BLOCKS = 64;
const BLOCK_BYTES = 1 << 16;

/** What shows that two machines have the same model, without reading all of it. */
export interface ModelFingerprint {
  /** Each file with its {@link sampledHash}. */
  readonly sources: readonly HashedStamp[];
  /** SHA-256 over the hashes of the files. */
  readonly sampled: string;
  /** SHA-256 of architecture, tokenizer and tensor shapes: quantisations of one model have it in common. */
  readonly family: string;
  /** SHA-256 of the chat template; of the empty text where there is none. */
  readonly template: string;
}

/** @throws FileError, FormatError when a file of the model cannot be read; InputChangedError when it changed since its header was read. */
export async function fingerprintOf(model: BaseModel): Promise<ModelFingerprint> {
  const sources: HashedStamp[] = [];
  for (const stamp of model.stamps) sources.push(await hashStamped(stamp, sampledHash));
  const { metadata } = await readGgufHeader(model.path);
  const tokenizer = [...metadata].filter(([name]) => name.startsWith("tokenizer."));
  return {
    sources,
    sampled: digest(sources.map(({ sha256 }) => sha256).join("\n")),
    family: digest(stableJson(familyOf(model, tokenizer))),
    template: digest(model.chatTemplate ?? ""),
  };
}

/**
 * SHA-256 of a GGUF file's size, its header and blocks sampled from its tensors: another file gives another one, but for damage between the blocks.
 * @throws FileError, FormatError when the file cannot be read.
 */
export async function sampledHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  const { tensors } = await readGgufHeader(path);
  const data = Math.min(...tensors.map(({ offset }) => offset));
  await withFileSource(path, async (source) => {
    const start = Number.isFinite(data) ? data : source.size;
    hash.update(`${source.size} ${start}\n`);
    for await (const bytes of source.stream(0, start)) hash.update(bytes);
    const length = Math.min(BLOCK_BYTES, source.size - start);
    for (let block = 0; block < BLOCKS && length > 0; block++) {
      const offset = start + Math.round((block * (source.size - length - start)) / (BLOCKS - 1));
      for await (const bytes of source.stream(offset, length)) hash.update(bytes);
    }
  });
  return hash.digest("hex");
}

function familyOf(model: BaseModel, tokenizer: readonly unknown[]): unknown {
  return {
    architecture: model.architecture,
    shapes: [...model.shapes],
    tokenizer: digest(
      JSON.stringify(tokenizer, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    ),
  };
}
