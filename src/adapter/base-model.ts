import { AdapterError, FormatError } from "../errors.js";
import { withStamp, type FileStamp, type HashedStamp } from "../files/file-stamp.js";
import { hashStamped } from "../files/input-files.js";
import { readGgufHeader } from "../formats/gguf-reader.js";
import { metadataArray, metadataNumber, metadataString, type GgufMetadata } from "../formats/gguf-value.js";
import { modelMemory, type ModelMemory } from "./model-memory.js";

/** What must be known of a base model before the engine loads it. */
export interface BaseModel extends ModelMemory {
  readonly path: string;
  /** The files of the model: one, unless it is split over several. */
  readonly files: readonly string[];
  /** Of the files, from before their headers were read. */
  readonly stamps: readonly FileStamp[];
  readonly byteLength: number;
  readonly architecture: string;
  readonly name: string | undefined;
  /** L, the number of decoder blocks. */
  readonly layerCount: number;
  /** Context length in tokens that the model was trained for. */
  readonly trainContextSize: number;
  /** Longest context, in tokens, that is read with the factors of a short one (LongRoPE); undefined where there is one set of factors. */
  readonly shortContextSize: number | undefined;
  /** Jinja source of the chat template, where the model has one. */
  readonly chatTemplate: string | undefined;
  readonly bosText: string;
  readonly eosText: string;
  /** Whether the output head shares the token embedding's tensor. */
  readonly tiedEmbedding: boolean;
  /** Shape of each tensor in ggml's order, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * Reads the header of a base model in GGUF format; for a model split over several files, of its first.
 * @throws FileError, FormatError when the file is not a sound GGUF model; AdapterError when it is an adapter.
 */
export async function readBaseModel(path: string): Promise<BaseModel> {
  const first = await withStamp(path, readGgufHeader);
  const header = first.value;
  const { metadata } = header;
  if (metadataString(metadata, "general.type") === "adapter") {
    throw new AdapterError(path, {
      what: `${path} is an adapter, not a base model`,
      actual: 'general.type "adapter"',
      fix: "Give the base model with --model and the LoRA adapter with --adapter.",
    });
  }
  const architecture = metadataString(metadata, "general.architecture");
  const layerCount = architecture === undefined ? undefined : metadataNumber(metadata, `${architecture}.block_count`);
  if (architecture === undefined || layerCount === undefined || !Number.isInteger(layerCount) || layerCount < 1) {
    const actual = architecture === undefined ? "no general.architecture" : blockCount(architecture, layerCount);
    throw notLanguageModel(path, actual);
  }
  const others = await Promise.all(otherShards(path, metadata).map((shard) => withStamp(shard, readGgufHeader)));
  const stamped = [first, ...others];
  const files = stamped.map(({ value }) => value);
  const shapes = new Map(files.flatMap(({ tensors }) => tensors.map((tensor) => [tensor.name, tensor.dims] as const)));
  // Every block has tensors of its own; a damaged count must not decide how much is allocated for the layers.
  if (layerCount > shapes.size) {
    throw notLanguageModel(path, `${blockCount(architecture, layerCount)} with ${shapes.size} tensors`);
  }
  const memory = modelMemory(metadata, architecture, { layerCount, shapes });
  return {
    path,
    files: files.map((file) => file.path),
    stamps: stamped.map(({ stamp }) => stamp),
    byteLength: files.reduce((sum, file) => sum + file.fileSize, 0),
    architecture,
    name: metadataString(metadata, "general.name"),
    layerCount,
    trainContextSize: metadataNumber(metadata, `${architecture}.context_length`) ?? 4096,
    shortContextSize: shapes.has("rope_factors_long.weight")
      ? metadataNumber(metadata, `${architecture}.rope.scaling.original_context_length`)
      : undefined,
    chatTemplate: metadataString(metadata, "tokenizer.chat_template"),
    bosText: tokenText(metadata, "tokenizer.ggml.bos_token_id"),
    eosText: tokenText(metadata, "tokenizer.ggml.eos_token_id"),
    ...memory,
    tiedEmbedding: !shapes.has("output.weight"),
    shapes,
  };
}

function blockCount(architecture: string, layerCount: number | undefined): string {
  return `${architecture}.block_count ${layerCount ?? "missing"}`;
}

function notLanguageModel(path: string, actual: string): FormatError {
  return new FormatError(path, {
    what: `${path} is not a language model`,
    actual,
    expected: "general.architecture and its block_count",
    fix: "Give a base model in GGUF format.",
  });
}

/** Paths of the files beyond the first of a split model. Source: llama_split_path, "%s-%05d-of-%05d.gguf". */
function otherShards(path: string, metadata: GgufMetadata): string[] {
  const count = metadataNumber(metadata, "split.count") ?? 1;
  const match = /^(.*)-00001-of-(\d{5})\.gguf$/.exec(path);
  if (count <= 1) return [];
  if (match?.[1] === undefined || Number(match[2]) !== count) {
    throw new FormatError(path, {
      what: `${path} is a part of a split model, but not its first`,
      expected: `a name that ends in -00001-of-${String(count).padStart(5, "0")}.gguf`,
      fix: "Give the first part; the others are found beside it.",
    });
  }
  const [, prefix] = match;
  const digits = (number: number): string => String(number).padStart(5, "0");
  return Array.from({ length: count - 1 }, (_, i) => `${prefix}-${digits(i + 2)}-of-${digits(count)}.gguf`);
}

/** A base model with the hash of all its bytes. */
export interface HashedBaseModel extends BaseModel {
  /** SHA-256 of each file, joined by "+" where the model is split over several. */
  readonly sha256: string;
  readonly sources: readonly HashedStamp[];
}

/**
 * Reads the whole model, which takes seconds for a large one.
 * @throws FileError when a file cannot be read, InputChangedError when it is not as it was when its header was read.
 */
export async function withSha256(model: BaseModel): Promise<HashedBaseModel> {
  const sources: HashedStamp[] = [];
  for (const stamp of model.stamps) sources.push(await hashStamped(stamp));
  return { ...model, sources, sha256: sources.map(({ sha256 }) => sha256).join("+") };
}

function tokenText(metadata: GgufMetadata, idKey: string): string {
  const id = metadataNumber(metadata, idKey);
  const text = id === undefined ? undefined : metadataArray(metadata, "tokenizer.ggml.tokens")?.[id];
  return typeof text === "string" ? text : "";
}
