import { join } from "node:path";
import { decodeF16 } from "../../src/formats/half-floats.js";
import { encodeF16 } from "./encode-half-floats.js";
import { ggmlType, ggmlTypeId } from "../../src/formats/ggml-types.js";
import { writeGguf, type GgufTensorToWrite } from "../../src/formats/gguf-writer.js";
import type { GgufMetadata, GgufValue } from "../../src/formats/gguf-value.js";
import { seededGenerator } from "../../src/samples/shuffle.js";
import { uniformInt } from "../../src/statistics/random.js";

/** Architectures of which tiny random models can be made. */
export type TinyArchitecture = "llama" | "qwen2" | "qwen3" | "phi3" | "gemma";
/** One with a head of its own, one with biases, one with a tied head. */
export const tinyArchitectures: readonly TinyArchitecture[] = ["llama", "qwen2", "gemma"];
/** Those whose layers may be run one at a time. */
export const layerwiseArchitectures: readonly TinyArchitecture[] = ["llama", "qwen2", "qwen3", "phi3"];

export interface TinyModelOptions {
  readonly architecture: TinyArchitecture;
  readonly layers?: number;
  readonly seed?: number;
  readonly contextLength?: number;
  readonly chatTemplate?: string | undefined;
  /** Whether the model wants a begin-of-sequence token in front; false by default. */
  readonly addBos?: boolean;
  /** Type of the matrices in the blocks and of embedding and head; F32 by default. */
  readonly type?: "F32" | "Q8_0";
  /** Experts in the feed-forward network of each layer, two of which answer a token; for llama, so the model is mixtral's kind. */
  readonly experts?: number;
}

export interface TinyAdapterOptions extends TinyModelOptions {
  readonly alpha?: number;
  readonly rank?: number;
  /** Layers that have tensors; all by default. */
  readonly coverage?: readonly number[];
  /** Multiplies B; 0 makes an adapter without effect. */
  readonly strength?: number;
  /** Ranks of updates of the token embedding and of the head; none by default. */
  readonly embeddingRank?: number;
  readonly headRank?: number;
  /** Type of its tensors, F32 by default. Q8_0 is what llama.cpp's converter makes: tensors whose rows are not whole blocks become F16. */
  readonly adapterType?: AdapterType;
}

export type AdapterType = "F32" | "F16" | "BF16" | "Q8_0";

const D = 32;
const HEADS = 2;
const KV_HEADS = 1;
const HEAD_SIZE = 16;
const FF = 64;
const LAYERS = 4;

export const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Writes a random model that llama.cpp loads: 32 dimensions, byte-level vocabulary, ChatML. Returns its path. */
export async function writeTinyModel(folder: string, name: string, options: TinyModelOptions): Promise<string> {
  const { architecture, layers = LAYERS, seed = 1, contextLength = 512 } = options;
  const random = gaussian(seed);
  const path = join(folder, name);
  const vocabulary = byteVocabulary(architecture);
  const tensors = [
    tensor("token_embd.weight", [D, vocabulary.tokens.length], random, 1),
    tensor("output_norm.weight", [D], () => 1, 1),
    // gemma shares its embedding with its head; the others get a head that spreads the logits.
    ...(architecture === "gemma" ? [] : [tensor("output.weight", [D, vocabulary.tokens.length], random, 1)]),
    ...Array.from({ length: layers }, (_, layer) => blockTensors(options, layer, random)).flat(),
  ].map((one) => (options.type === "Q8_0" && one.dims.length >= 2 ? asQ8(one) : one));
  const chatTemplate = "chatTemplate" in options ? options.chatTemplate : CHATML;
  const key = (suffix: string, value: GgufValue): [string, GgufValue] => [`${architecture}.${suffix}`, value];
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("model")],
    ["general.name", text(`tiny ${architecture}`)],
    key("block_count", uint32(layers)),
    key("context_length", uint32(contextLength)),
    key("embedding_length", uint32(D)),
    key("feed_forward_length", uint32(FF)),
    key("attention.head_count", uint32(HEADS)),
    key("attention.head_count_kv", uint32(KV_HEADS)),
    key("attention.key_length", uint32(HEAD_SIZE)),
    key("attention.value_length", uint32(HEAD_SIZE)),
    key("attention.layer_norm_rms_epsilon", float32(1e-5)),
    key("rope.freq_base", float32(10000)),
    key("rope.dimension_count", uint32(HEAD_SIZE)),
    ...(options.experts === undefined
      ? []
      : [key("expert_count", uint32(options.experts)), key("expert_used_count", uint32(2))]),
    ...tokenizerMetadata(vocabulary),
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: options.addBos ?? false }],
    ...(chatTemplate === undefined ? [] : [["tokenizer.chat_template", text(chatTemplate)] as [string, GgufValue]]),
  ]);
  await writeGguf(path, metadata, tensors, { overwrite: true });
  return path;
}

/** Writes a random LoRA adapter for the tiny model of the same options. Returns its path. */
export async function writeTinyAdapter(folder: string, name: string, options: TinyAdapterOptions): Promise<string> {
  const { architecture, layers = LAYERS, seed = 2, alpha = 8, rank = 4, strength = 1 } = options;
  const coverage = options.coverage ?? Array.from({ length: layers }, (_, layer) => layer);
  const random = gaussian(seed);
  const vocabulary = byteVocabulary(architecture).tokens.length;
  const pairOf = (weight: string, [inputs, outputs, ...experts]: MatrixDims, ofRank: number): GgufTensorToWrite[] => [
    tensor(`${weight}.lora_a`, [inputs, ofRank, ...experts], random, 1 / Math.sqrt(inputs)),
    tensor(`${weight}.lora_b`, [ofRank, outputs, ...experts], random, strength / Math.sqrt(ofRank)),
  ];
  const { embeddingRank, headRank, adapterType = "F32" } = options;
  const tensors = [
    // llama.cpp looks up rows of the embedding's A.
    ...(embeddingRank === undefined
      ? []
      : [
          tensor("token_embd.weight.lora_a", [embeddingRank, vocabulary], random, 1),
          tensor("token_embd.weight.lora_b", [embeddingRank, D], random, strength / Math.sqrt(embeddingRank)),
        ]),
    ...coverage.flatMap((layer) =>
      matrixShapes(options, layer).flatMap(([weight, dims]) => pairOf(weight, dims, rank)),
    ),
    ...(headRank === undefined ? [] : pairOf("output.weight", [D, vocabulary], headRank)),
  ].map((one) => asAdapterType(one, adapterType));
  const path = join(folder, name);
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("adapter")],
    ["general.name", text("tiny adapter")],
    ["adapter.type", text("lora")],
    ["adapter.lora.alpha", float32(alpha)],
  ]);
  await writeGguf(path, metadata, tensors, { overwrite: true });
  return path;
}

/** Of a matrix, or of one for each expert. */
type MatrixDims = readonly [inputs: number, outputs: number, ...experts: number[]];

function matrixShapes(
  { architecture, experts }: Pick<TinyModelOptions, "architecture" | "experts">,
  layer: number,
): [name: string, dims: MatrixDims][] {
  const kv = KV_HEADS * HEAD_SIZE;
  const shapes: [string, MatrixDims][] =
    architecture === "phi3"
      ? [
          ["attn_qkv", [D, HEADS * HEAD_SIZE + 2 * kv]],
          ["attn_output", [HEADS * HEAD_SIZE, D]],
          ["ffn_up", [D, 2 * FF]],
          ["ffn_down", [FF, D]],
        ]
      : [
          ["attn_q", [D, HEADS * HEAD_SIZE]],
          ["attn_k", [D, kv]],
          ["attn_v", [D, kv]],
          ["attn_output", [HEADS * HEAD_SIZE, D]],
          ...feedForward(experts),
        ];
  return shapes.map(([module, dims]) => [`blk.${layer}.${module}.weight`, dims]);
}

function feedForward(experts: number | undefined): [string, MatrixDims][] {
  if (experts === undefined) {
    return [
      ["ffn_gate", [D, FF]],
      ["ffn_up", [D, FF]],
      ["ffn_down", [FF, D]],
    ];
  }
  return [
    ["ffn_gate_inp", [D, experts]],
    ["ffn_gate_exps", [D, FF, experts]],
    ["ffn_up_exps", [D, FF, experts]],
    ["ffn_down_exps", [FF, D, experts]],
  ];
}

function blockTensors(options: TinyModelOptions, layer: number, random: () => number): GgufTensorToWrite[] {
  const { architecture } = options;
  const matrices = matrixShapes(options, layer).map(([name, dims]) =>
    tensor(name, dims, random, 1 / Math.sqrt(dims[0])),
  );
  const norms = ["attn_norm", "ffn_norm"].map((norm) => tensor(`blk.${layer}.${norm}.weight`, [D], () => 1, 1));
  const biases =
    architecture === "qwen2"
      ? matrixShapes(options, layer)
          .slice(0, 3)
          .map(([name, [, outputs]]) => tensor(name.replace(".weight", ".bias"), [outputs], random, 0.1))
      : [];
  const headNorms =
    architecture === "qwen3"
      ? ["attn_q_norm", "attn_k_norm"].map((norm) => tensor(`blk.${layer}.${norm}.weight`, [HEAD_SIZE], () => 1, 1))
      : [];
  return [...norms, ...matrices, ...biases, ...headNorms];
}

/** The tensor as Q8_0: blocks of 32 values, each a half-float scale (the largest value / 127) and 32 signed bytes. */
function asQ8(one: GgufTensorToWrite): GgufTensorToWrite {
  const type = ggmlType(8);
  const [bytes] = one.data() as [Uint8Array];
  if (!type) throw new Error("Q8_0 is type 8");
  const values = new Float32Array(bytes.slice().buffer);
  const blocks = values.length / 32;
  const data = Buffer.alloc(blocks * 34);
  for (let block = 0; block < blocks; block++) {
    const own = values.subarray(block * 32, (block + 1) * 32);
    const half = encodeF16(Float32Array.of(Math.max(...own.map(Math.abs)) / 127));
    const [scale = 0] = decodeF16(half);
    data.set(half, block * 34);
    own.forEach((value, i) => data.writeInt8(scale === 0 ? 0 : Math.round(value / scale), block * 34 + 2 + i));
  }
  return { ...one, type, byteLength: data.byteLength, data: () => [data] };
}

function asAdapterType(one: GgufTensorToWrite, type: AdapterType): GgufTensorToWrite {
  const [inner = 0] = one.dims;
  if (type === "F32") return one;
  if (type === "Q8_0" && inner % 32 === 0) return asQ8(one);
  const [bytes] = one.data() as [Uint8Array];
  const values = new Float32Array(bytes.slice().buffer);
  // The upper half of a float is a BF16.
  const halves = new Uint16Array(bytes.slice().buffer).filter((_, i) => i % 2 === 1);
  const data = type === "BF16" ? new Uint8Array(halves.buffer) : encodeF16(values);
  const id = ggmlTypeId(type === "BF16" ? "BF16" : "F16");
  const half = id === undefined ? undefined : ggmlType(id);
  if (!half) throw new Error("F16 and BF16 have numbers");
  return { ...one, type: half, byteLength: data.byteLength, data: () => [data] };
}

/** An F32 tensor with values `random() * scale`. */
export function tensor(name: string, dims: readonly number[], random: () => number, scale: number): GgufTensorToWrite {
  const type = ggmlType(0);
  if (!type) throw new Error("F32 is type 0");
  const values = Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, () => random() * scale);
  const bytes = new Uint8Array(values.buffer);
  return { name, dims, type, byteLength: bytes.byteLength, data: () => [bytes] };
}

/** Normally distributed numbers (Box-Muller), the same for the same seed. */
export function gaussian(seed: number): () => number {
  const generator = seededGenerator(seed);
  const uniform = (): number => (uniformInt(generator, 0, 2 ** 31 - 1) + 1) / 2 ** 31;
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** How a model's file tells of a vocabulary of {@link byteVocabulary}. */
export function tokenizerMetadata({ tokens, types }: ReturnType<typeof byteVocabulary>): [string, GgufValue][] {
  return [
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("gpt-2")],
    ["tokenizer.ggml.tokens", { type: "array", itemType: "string", value: tokens }],
    ["tokenizer.ggml.token_type", { type: "array", itemType: "int32", value: types }],
    ["tokenizer.ggml.merges", { type: "array", itemType: "string", value: ["Ġ t"] }],
    ["tokenizer.ggml.bos_token_id", uint32(tokens.indexOf("<|im_start|>"))],
    ["tokenizer.ggml.eos_token_id", uint32(tokens.indexOf("<|im_end|>"))],
  ];
}

/** llama.cpp looks these up in every phi3 vocabulary. */
const PHI3_TOKENS = ["</s>", "<unk>", "<s>", "<|endoftext|>"];

/** GPT-2's byte alphabet, one merged token, and ChatML's control tokens (type 3). */
export function byteVocabulary(architecture: string): { tokens: string[]; types: number[] } {
  const printable = [range(33, 126), range(161, 172), range(174, 255)].flat();
  let next = 256;
  const bytes = range(0, 255).map((byte) => String.fromCodePoint(printable.includes(byte) ? byte : next++));
  const tokens = [...bytes, "Ġt", "<|im_start|>", "<|im_end|>", ...(architecture === "phi3" ? PHI3_TOKENS : [])];
  return { tokens, types: tokens.map((token) => (token.startsWith("<|") ? 3 : 1)) };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

export function text(value: string): GgufValue {
  return { type: "string", value };
}

export function uint32(value: number): GgufValue {
  return { type: "uint32", value };
}

export function float32(value: number): GgufValue {
  return { type: "float32", value };
}
