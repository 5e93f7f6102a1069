import { AdapterError } from "../errors.js";
import { readGgufHeader, type GgufHeader, type GgufTensor } from "../formats/gguf-reader.js";
import { metadataNumber, metadataString } from "../formats/gguf-value.js";
import { sha256File } from "../formats/file-source.js";
import type { Adapter, AdapterModule, HashedAdapter, Place } from "./adapter.js";

/**
 * Reads a LoRA adapter in GGUF format, as llama.cpp's convert_lora_to_gguf.py writes it. Reads the header only.
 * @throws FileError, FormatError when the file is not sound GGUF; AdapterError when it is not a usable LoRA adapter.
 */
export async function readGgufAdapter(path: string): Promise<Adapter> {
  const header = await readGgufHeader(path);
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
  };
}

/** {@link readGgufAdapter} with the file's hash. */
export async function loadGgufAdapter(path: string): Promise<HashedAdapter> {
  return { ...(await readGgufAdapter(path)), sha256: await sha256File(path) };
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
  const rank = b.dims[0] ?? 0;
  // llama.cpp looks up rows of the embedding's A, so that one is stored as [rank, vocabulary].
  const rankOfA = where.place === "embedding" ? a.dims[0] : a.dims[1];
  if (a.dims.length !== 2 || b.dims.length !== 2 || rankOfA !== rank) {
    throw new AdapterError(
      path,
      {
        what: `${path}: the two halves of ${name} do not fit each other`,
        actual: `A [${a.dims.join(", ")}], B [${b.dims.join(", ")}]`,
        expected: "A [in, rank] and B [rank, out]",
        fix: "The adapter is damaged, or holds expert tensors that are not supported: export it again.",
      },
      name,
    );
  }
  return { name, ...where, rank, a, b };
}

function placeOf(path: string, name: string): { place: Place; layer: number | undefined; module: string } {
  const block = /^blk\.(\d{1,6})\.(.+)\.weight$/.exec(name);
  if (block?.[1] !== undefined && block[2] !== undefined)
    return { place: "block", layer: Number(block[1]), module: block[2] };
  if (name === "token_embd.weight") return { place: "embedding", layer: undefined, module: "token_embd" };
  if (name === "output.weight") return { place: "output", layer: undefined, module: "output" };
  throw unknownTensor(path, name);
}

function unknownTensor(path: string, name: string): AdapterError {
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
