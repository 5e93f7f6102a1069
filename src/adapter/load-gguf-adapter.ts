import { at } from "../assert.js";
import { AdapterError } from "../errors.js";
import { readGgufHeader, type GgufHeader, type GgufTensor } from "../formats/gguf-reader.js";
import { metadataNumber, metadataString } from "../formats/gguf-value.js";
import { withStamp } from "../files/file-stamp.js";
import { hashStamped } from "../files/input-files.js";
import type { Adapter, AdapterModule, HashedAdapter, Place } from "./adapter.js";
import { halvesFit, rankDimension } from "./update-shape.js";

/**
 * Reads a LoRA adapter in GGUF format, as llama.cpp's convert_lora_to_gguf.py writes it. Reads the header only.
 * @throws FileError, FormatError when the file is not sound GGUF; AdapterError when it is not a usable LoRA adapter.
 */
export async function readGgufAdapter(path: string): Promise<Adapter> {
  const { value: header, stamp } = await withStamp(path, readGgufHeader);
  checkKind(header);
  const alpha = metadataNumber(header.metadata, "adapter.lora.alpha");
  if (alpha === undefined || !Number.isFinite(alpha)) {
    throw new AdapterError(path, {
      what: `${path}: adapter.lora.alpha is missing or not a number`,
      fix: "Convert the adapter again with llama.cpp's convert_lora_to_gguf.py.",
    });
  }
  const modules = pairModules(header);
  const layers = modules.flatMap((module) => (module.layer === undefined ? [] : [module.layer]));
  return {
    path,
    givenPath: path,
    architecture: metadataString(header.metadata, "general.architecture") ?? "",
    alpha,
    metadata: header.metadata,
    modules,
    coverage: [...new Set(layers)].sort((a, b) => a - b),
    byteLength: header.fileSize,
    stamp,
  };
}

/** {@link readGgufAdapter} with the file's hash. @throws InputChangedError when the file changes meanwhile. */
export async function loadGgufAdapter(path: string): Promise<HashedAdapter> {
  return withSource(await readGgufAdapter(path));
}

/** The adapter with its file's hash. @throws InputChangedError when the file is not as it was when its header was read. */
export async function withSource(adapter: Adapter): Promise<HashedAdapter> {
  const source = await hashStamped(adapter.stamp);
  return { ...adapter, sha256: source.sha256, sources: [source] };
}

function checkKind(header: GgufHeader): void {
  const { path, metadata } = header;
  const kind = metadataString(metadata, "general.type");
  if (kind !== "adapter") {
    throw new AdapterError(path, {
      what: `${path} is not an adapter`,
      actual: kind === undefined ? "a GGUF file without general.type (a model?)" : `general.type "${kind}"`,
      expected: 'general.type "adapter"',
      fix: "Give the base model with --model and the LoRA adapter with --adapter.",
    });
  }
  const type = metadataString(metadata, "adapter.type");
  if (type !== "lora") {
    throw new AdapterError(path, {
      what: `${path} is not a LoRA adapter`,
      actual: `adapter.type ${type === undefined ? "missing" : `"${type}"`}`,
      expected: '"lora"',
    });
  }
}

function pairModules(header: GgufHeader): AdapterModule[] {
  const halves = new Map<string, { a?: GgufTensor; b?: GgufTensor }>();
  for (const tensor of header.tensors) {
    const match = /^(.+)\.lora_([ab])$/.exec(tensor.name);
    const base = match?.[1];
    if (base === undefined) throw unknownTensor(header.path, tensor.name);
    const pair = halves.get(base) ?? {};
    pair[match?.[2] === "a" ? "a" : "b"] = tensor;
    halves.set(base, pair);
  }
  if (halves.size === 0) {
    throw new AdapterError(header.path, {
      what: `${header.path} holds no LoRA tensors`,
      fix: "The adapter is empty: export it again.",
    });
  }
  return [...halves].map(([name, pair]) => joinHalves(header.path, name, pair));
}

function joinHalves(path: string, name: string, { a, b }: { a?: GgufTensor; b?: GgufTensor }): AdapterModule {
  if (!a || !b) {
    throw new AdapterError(
      path,
      {
        what: `${path}: tensor ${name} has only one half of its LoRA pair`,
        actual: `only ${a ? "lora_a" : "lora_b"}`,
        expected: "lora_a and lora_b",
        fix: "The adapter is damaged: export it again.",
      },
      name,
    );
  }
  const where = placeOf(path, name);
  if (!halvesFit(where.place, a.dims, b.dims)) {
    throw new AdapterError(
      path,
      {
        what: `${path}: the two halves of ${name} do not fit each other`,
        actual: `A [${a.dims.join(", ")}], B [${b.dims.join(", ")}]`,
        expected: EXPECTED_HALVES[where.place],
        fix: "The adapter is damaged: export it again.",
      },
      name,
    );
  }
  const [, , experts] = b.dims;
  return {
    name,
    ...where,
    rank: at(b.dims, rankDimension(where.place).b),
    ...(experts === undefined ? {} : { experts }),
    a,
    b,
  };
}

/** What the halves of a module must look like, by its place. */
const EXPECTED_HALVES: Readonly<Record<Place, string>> = {
  block: "A [in, rank] and B [rank, out], or A [in, rank, experts] and B [rank, out, experts]",
  embedding: "A [rank, vocabulary] and B [rank, width]",
  output: "A [in, rank] and B [rank, out]",
};

function placeOf(path: string, name: string): { place: Place; layer: number | undefined; module: string } {
  const block = /^blk\.(\d{1,6})\.(.+)\.weight$/.exec(name);
  if (block?.[1] !== undefined && block[2] !== undefined)
    return { place: "block", layer: Number(block[1]), module: block[2] };
  if (name === "token_embd.weight") return { place: "embedding", layer: undefined, module: "token_embd" };
  if (name === "output.weight") return { place: "output", layer: undefined, module: "output" };
  throw unknownTensor(path, name);
}

/** Tensors that are not a decoder's matrices, and what an adapter with them is. Names: gguf-py/gguf/constants.py, TENSOR_NAMES. */
const FOREIGN_TENSORS: readonly (readonly [name: RegExp, what: string, fix: string])[] = [
  [
    /^(?:enc|dec)\.(?:blk\.|output_norm)/,
    "the adapter is for an encoder-decoder model, such as T5",
    "boundary works with decoder-only language models: give an adapter of such a model.",
  ],
  [
    /^(?:v\.|mm\.|a\.|resampler\.)/,
    "the adapter is for a vision or audio encoder, where llama.cpp applies no adapters",
    "Give an adapter of the text decoder.",
  ],
  [
    /(?:^|[._])norm(?:\.weight|\.bias)?$/,
    "it is a trained norm, which llama.cpp leaves out when it applies an adapter",
    "Merge the adapter into the base with the tool that made it, and use the merged model.",
  ],
  [
    /\.bias$/,
    "it is a trained bias, which llama.cpp does not apply from an adapter",
    "Merge the adapter into the base with the tool that made it, and use the merged model.",
  ],
];

function unknownTensor(path: string, name: string): AdapterError {
  const base = name.replace(/\.lora_[ab]$/, "");
  const [, reason, fix] = FOREIGN_TENSORS.find(([expression]) => expression.test(base)) ?? [];
  if (reason !== undefined && fix !== undefined)
    return new AdapterError(
      path,
      { what: `${path} cannot be used because of its tensor ${name}: ${reason}`, fix },
      name,
    );
  return new AdapterError(
    path,
    {
      what: `${path}: tensor ${name} is not a LoRA tensor of a decoder block, the token embedding or the output head`,
      expected: "names such as blk.0.attn_q.weight.lora_a",
      fix: "Export the adapter with llama.cpp's convert_lora_to_gguf.py.",
    },
    name,
  );
}
