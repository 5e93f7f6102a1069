import { join } from "node:path";
import { at, defined } from "../../assert.js";
import { withFileSource, type FileSource } from "../../files/file-source.js";
import { readGgufHeader, type GgufHeader, type GgufTensor } from "../../formats/gguf-reader.js";
import type { GgufMetadata, GgufValue } from "../../formats/gguf-value.js";
import { metadataNumber, metadataString } from "../../formats/gguf-value.js";
import { writeGguf, type GgufTensorToWrite } from "../../formats/gguf-writer.js";

/**
 * Architectures whose layers may be run one at a time: each layer's computation depends on its weights, its input and the model's
 * metadata, not on its index. Others have layers that do (rope steps of smollm3 and llama4, window patterns of gemma, leading dense layers
 * of mixtures of experts) or inputs besides the hidden state.
 */
const LAYERWISE = new Set(["llama", "qwen2", "qwen3", "phi3"]);
/** Rows of the token embedding that a model without a head keeps: llama.cpp wants one, and nothing reads it. */
const STUB_ROWS = 32;

/** Why the layers of a model cannot be run one at a time; undefined where they can, as far as its header tells. */
export function layerwiseRefusal(header: GgufHeader, contextSize: number): string | undefined {
  const architecture = metadataString(header.metadata, "general.architecture") ?? "unknown";
  if (!LAYERWISE.has(architecture)) return `it is not known to be exact for ${architecture} models`;
  const window = metadataNumber(header.metadata, `${architecture}.attention.sliding_window`) ?? 0;
  if (window > 0 && window < contextSize) return `the attention window of ${window} tokens is shorter than the context`;
  if ((metadataNumber(header.metadata, `${architecture}.expert_count`) ?? 0) > 0) return "the model has experts";
  if (vocabularyTensor(header) === undefined) return "the model has no token embedding";
  return undefined;
}

/** Tensors through which a layer adds to its input. */
const OUTPUT_PROJECTION = /^(attn_output|ffn_down)/;
const ZEROS = new Uint8Array(2 ** 20);

/**
 * Writes a model's last layer with its final norm and head, but with output projections of zeros: it hands on what it takes in.
 * @returns the file's path.
 * @throws FileError, FormatError when reading or writing fails.
 */
export async function writeNullLayerModel(modelPath: string, folder: string): Promise<string> {
  const header = await readGgufHeader(modelPath);
  const path = join(folder, "null-layer.gguf");
  await withFileSource(modelPath, async (source) => {
    await writeLayer({ header, source }, path, layerCountOf(header) - 1, (tensor) =>
      OUTPUT_PROJECTION.test(tensor) ? zeros : undefined,
    );
  });
  return path;
}

/**
 * Writes each layer of a model as a model of its own. They take hidden states and hand them on; only the last one has the output head.
 * Together they are as large as the model.
 * @returns their paths, from the lowest layer.
 * @throws FileError, FormatError when reading or writing fails.
 */
export async function writeOneLayerModels(modelPath: string, folder: string): Promise<string[]> {
  const header = await readGgufHeader(modelPath);
  const paths = Array.from({ length: layerCountOf(header) }, (_, layer) => join(folder, `layer-${layer}.gguf`));
  await withFileSource(modelPath, async (source) => {
    for (const [layer, path] of paths.entries()) await writeLayer({ header, source }, path, layer, () => undefined);
  });
  return paths;
}

/** @param replace data in the place of a tensor's own, by its name within the layer. */
async function writeLayer(
  { header, source }: { readonly header: GgufHeader; readonly source: FileSource },
  path: string,
  layer: number,
  replace: (name: string) => ((byteLength: number) => AsyncIterable<Uint8Array>) | undefined,
): Promise<void> {
  const architecture = architectureOf(header);
  const layers = layerCountOf(header);
  const isLast = layer === layers - 1;
  const write = (tensor: GgufTensor, name: string, rows?: number): GgufTensorToWrite => {
    const all = rows === undefined ? 0 : at(tensor.dims, 1);
    const byteLength = rows === undefined ? tensor.byteLength : (tensor.byteLength / all) * Math.min(rows, all);
    const dims = rows === undefined ? tensor.dims : [at(tensor.dims, 0), Math.min(rows, all)];
    const replaced = replace(name.replace(/^blk\.0\./, ""));
    const data = (): AsyncIterable<Uint8Array> => replaced?.(byteLength) ?? source.stream(tensor.offset, byteLength);
    return { name, dims, type: tensor.type, byteLength, data };
  };
  const tensors = header.tensors.flatMap((tensor) => {
    const block = /^blk\.(\d+)\.(.*)$/.exec(tensor.name);
    if (block) return Number(block[1]) === layer ? [write(tensor, `blk.0.${at(block, 2)}`)] : [];
    const ofVocabulary = tensor.name === "token_embd.weight" || tensor.name.startsWith("output.");
    return [write(tensor, tensor.name, ofVocabulary && !isLast ? STUB_ROWS : undefined)];
  });
  const rows = at(defined(vocabularyTensor(header), "the tensor of the vocabulary").dims, 1);
  const vocabulary = isLast ? rows : Math.min(STUB_ROWS, rows);
  await writeGguf(path, oneLayerMetadata(header.metadata, architecture, { layer, layers, vocabulary }), tensors, {
    overwrite: true,
  });
}

/** Zero bytes are zeros in every type of ggml: a block's scale is zero too. */
async function* zeros(byteLength: number): AsyncGenerator<Uint8Array> {
  for (let left = byteLength; left > 0; left -= ZEROS.length) {
    yield Promise.resolve(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }
}

function architectureOf({ metadata }: GgufHeader): string {
  return defined(metadataString(metadata, "general.architecture"), "general.architecture");
}

function layerCountOf(header: GgufHeader): number {
  return defined(metadataNumber(header.metadata, `${architectureOf(header)}.block_count`), "the number of layers");
}

function oneLayerMetadata(
  metadata: GgufMetadata,
  architecture: string,
  { layer, layers, vocabulary }: { layer: number; layers: number; vocabulary: number },
): GgufMetadata {
  const kept = [...metadata].flatMap(([key, value]): [string, GgufValue][] => {
    if (key.startsWith("tokenizer.") || key.startsWith("split.") || key === `${architecture}.vocab_size`) return [];
    if (key === `${architecture}.block_count`) return [[key, { type: "uint32", value: 1 }]];
    const isOfLayers = key.startsWith(`${architecture}.`) && value.type === "array" && value.value.length === layers;
    return [[key, isOfLayers ? { ...value, value: value.value.slice(layer, layer + 1) } : value]];
  });
  return new Map([
    ...kept,
    ["tokenizer.ggml.model", { type: "string", value: "none" }],
    [`${architecture}.vocab_size`, { type: "uint32", value: vocabulary }],
  ]);
}

function vocabularyTensor({ tensors }: GgufHeader): GgufTensor | undefined {
  return tensors.find(({ name }) => name === "token_embd.weight");
}
