/** Where a module lies in a Hugging Face model, by its path. */
export type PeftPlace =
  | {
      readonly kind: "block";
      readonly layer: number;
      /** Path inside the block, such as `self_attn.q_proj`. */
      readonly inBlock: string;
      /** Path of the layer list without the names of wrappers: `layers` in most models, `transformer.h` in GPT-2. */
      readonly list: string;
    }
  | { readonly kind: "embedding" | "output" }
  /** A part of the model other than its text decoder, such as a vision tower: `part` in the singular. */
  | { readonly kind: "other-part"; readonly part: string }
  | { readonly kind: "unknown" };

/** Modules that hold the text decoder in single-modality and multimodal models of transformers, InternVL, MiniCPM-V, DeepSeek-VL and Qwen-Omni. */
const CONTAINERS = String.raw`(?:(?:model|base_model|language_model|text_model|language|llm|lm|thinker)\.)*`;

/** The layer lists of decoders. `transformer.encoder.layers` is ChatGLM's, which is a decoder in spite of its name. */
const LISTS = [
  "layers",
  String.raw`decoder\.layers`,
  String.raw`decoder\.block`,
  String.raw`transformer\.(?:h|blocks|layers)`,
  String.raw`transformer\.encoder\.layers`,
  String.raw`gpt_neox\.layers`,
  String.raw`backbone\.layers`,
  "h",
].join("|");

const BLOCK = new RegExp(`^${CONTAINERS}(${LISTS})\\.(\\d{1,6})\\.(.+)$`);
const OUTER = String.raw`(?:decoder\.|transformer\.(?:embedding\.)?|gpt_neox\.|backbone\.)?`;
const EMBEDDING = new RegExp(`^${CONTAINERS}${OUTER}(?:embed_tokens|wte|word_embeddings|embed_in|embeddings?)$`);
const OUTPUT = new RegExp(`^${CONTAINERS}${OUTER}(?:lm_head|embed_out|output|output_layer)$`);

/** Parts that are not a text decoder, by what their paths hold. The first one that matches names the part. */
const OTHER_PARTS: readonly (readonly [part: string, path: RegExp])[] = [
  [
    "image-generation",
    /(?:^|\.|_)(?:unet|down_blocks|up_blocks|mid_block|transformer_blocks|single_transformer_blocks)(?:\.|$)/,
  ],
  [
    "speech-generator",
    /(?:^|\.)(?:talker|token2wav|code2wav|code_predictor|tts|vocoder|vq_model|depth_decoder)(?:\.|$)/,
  ],
  ["multi-token-prediction", /^(?:model\.)?mtp(?:_\w+)?\./],
  [
    "projector",
    /(?:^|[._])(?:\w*projector|connector|merger\w*|resampler|q_?former|perceiver\w*|aligner|mlp1|embed_vision|embed_audio)(?:[._]|$)/,
  ],
  ["vision-tower", /(?:^|[._])(?:visual|vision|image|img|vpm|vit|siglip|clip)/],
  ["audio-tower", /(?:^|[._])(?:audio|speech|whisper|conformer|apm|sound)/],
  ["text-encoder", /(?:^|\.)(?:text_encoder\w*|text_model\.encoder)\./],
  ["encoder", /(?:^|\.)(?:encoder|bert|roberta)\./],
];

/**
 * Where a module lies. Only paths that are known to lead into a text decoder do: other towers have blocks of the same names
 * (`vision_tower.vision_model.encoder.layers.0.self_attn.q_proj`).
 * @param modulePath without PEFT's prefix, as `parsePeftName` gives it.
 */
export function placeOfPath(modulePath: string): PeftPlace {
  const [, list, layer, inBlock] = BLOCK.exec(modulePath) ?? [];
  if (list !== undefined && layer !== undefined && inBlock !== undefined)
    return { kind: "block", list, layer: Number(layer), inBlock };
  if (EMBEDDING.test(modulePath)) return { kind: "embedding" };
  if (OUTPUT.test(modulePath)) return { kind: "output" };
  const part = partOf(modulePath);
  return part === undefined ? { kind: "unknown" } : { kind: "other-part", part };
}

/** The part other than the text decoder that a path or the name of a module lies in, or undefined. */
export function partOf(path: string): string | undefined {
  return OTHER_PARTS.find(([, expression]) => expression.test(path))?.[0];
}

/** Attention from a decoder to an encoder: T5, BART and Whisper, the decoders of transformers' EncoderDecoderModel. */
const CROSS_ATTENTION = /\.(?:EncDecAttention|encoder_attn|crossattention)\./;

/**
 * Whether these are modules of an encoder-decoder model, in which every layer list belongs to an encoder or a `decoder`.
 * @param isDeclared whether the configuration names a sequence-to-sequence task.
 */
export function isEncoderDecoder(modulePaths: readonly string[], isDeclared: boolean): boolean {
  if (modulePaths.some((path) => CROSS_ATTENTION.test(path))) return true;
  const places = modulePaths.map(placeOfPath);
  const hasEncoder = places.some((place) => place.kind === "other-part" && place.part === "encoder");
  const lists = places.flatMap((place) => (place.kind === "block" ? [place.list] : []));
  const isPlain = lists.some((list) => !list.startsWith("decoder."));
  return !isPlain && (isDeclared || (hasEncoder && lists.length > 0));
}
