import { describe, expect, it } from "vitest";
import { isEncoderDecoder, placeOfPath } from "../../src/adapter/peft-places.js";

const q = "self_attn.q_proj";

describe("where a module lies by its path", () => {
  it.each([
    `model.layers.3.${q}`,
    `model.language_model.layers.3.${q}`,
    `language_model.model.layers.3.${q}`,
    `language_model.layers.3.${q}`,
    `model.text_model.layers.3.${q}`,
    `llm.model.layers.3.${q}`,
    `language.model.layers.3.${q}`,
    `thinker.model.layers.3.${q}`,
    `model.model.layers.3.${q}`,
  ])("%s is a block of the text decoder", (path) => {
    expect(placeOfPath(path)).toEqual({ kind: "block", list: "layers", layer: 3, inBlock: q });
  });

  it.each([
    ["transformer.h.2.attn.c_attn", "transformer.h"],
    ["gpt_neox.layers.2.attention.query_key_value", "gpt_neox.layers"],
    ["model.decoder.layers.2.self_attn.q_proj", "decoder.layers"],
    ["transformer.encoder.layers.2.self_attention.query_key_value", "transformer.encoder.layers"],
    ["backbone.layers.2.mixer.in_proj", "backbone.layers"],
  ])("%s is a block of another decoder", (path, list) => {
    expect(placeOfPath(path)).toMatchObject({ kind: "block", list, layer: 2 });
  });

  it.each([
    [`vision_tower.vision_model.encoder.layers.0.${q}`, "vision-tower"],
    [`model.vision_tower.vision_tower.vision_model.encoder.layers.0.${q}`, "vision-tower"],
    ["visual.blocks.0.attn.qkv", "vision-tower"],
    ["model.visual.blocks.0.attn.qkv", "vision-tower"],
    ["thinker.visual.blocks.0.attn.q", "vision-tower"],
    [`vision_model.transformer.layers.0.${q}`, "vision-tower"],
    [`vision_model.global_transformer.layers.0.${q}`, "vision-tower"],
    [`model.vision_embed_tokens.img_processor.vision_model.encoder.layers.0.${q}`, "vision-tower"],
    [`vpm.encoder.layers.0.${q}`, "vision-tower"],
    ["vision_tower.transformer.layers.0.attention.q_proj", "vision-tower"],
    [`audio_tower.layers.0.${q}`, "audio-tower"],
    [`thinker.audio_tower.layers.0.${q}`, "audio-tower"],
    [`talker.model.layers.0.${q}`, "speech-generator"],
    ["talker.code_predictor.model.layers.0.mlp.up_proj", "speech-generator"],
    ["multi_modal_projector.linear_1", "projector"],
    ["model.multi_modal_projector.linear_1", "projector"],
    ["model.mm_projector.0", "projector"],
    ["model.visual.merger.mlp.0", "projector"],
    ["model.connector.modality_projection.proj", "projector"],
    ["mlp1.1", "projector"],
    [`encoder.layers.0.${q}`, "encoder"],
    ["bert.encoder.layer.0.attention.self.query", "encoder"],
    [`text_model.encoder.layers.0.${q}`, "text-encoder"],
    [`mtp.layers.0.${q}`, "multi-token-prediction"],
    ["unet.down_blocks.0.attentions.0.to_q", "image-generation"],
  ])("%s belongs to another part: %s", (path, part) => {
    expect(placeOfPath(path)).toEqual({ kind: "other-part", part });
  });

  it.each([
    ["model.embed_tokens", "embedding"],
    ["model.language_model.embed_tokens", "embedding"],
    ["transformer.wte", "embedding"],
    ["lm_head", "output"],
    ["language_model.lm_head", "output"],
    // A position embedding or Gemma 3n's own table for each layer is not the token embedding.
    ["transformer.wpe", "unknown"],
    ["model.embed_tokens_per_layer", "unknown"],
    ["bar.embed_tokens", "unknown"],
    [`foo.layers.0.${q}`, "unknown"],
    ["blocks.0.attn.qkv", "unknown"],
    ["score", "unknown"],
  ])("%s is %s", (path, kind) => {
    expect(placeOfPath(path)).toEqual({ kind });
  });

  it.each([
    [["encoder.block.0.layer.0.SelfAttention.q", "decoder.block.0.layer.0.SelfAttention.q"], false, true],
    [["decoder.block.0.layer.1.EncDecAttention.q"], false, true],
    [[`model.encoder.layers.0.${q}`, `model.decoder.layers.0.${q}`], false, true],
    [[`model.decoder.layers.0.${q}`], true, true],
    // OPT is a decoder, and the encoder of a speech model is another tower.
    [[`model.decoder.layers.0.${q}`], false, false],
    [[`encoder.layers.0.${q}`, `language_model.model.layers.0.${q}`], false, false],
    [[`model.layers.0.${q}`], true, false],
  ])("%j, declared %j: encoder-decoder %j", (paths, isDeclared, expected) => {
    expect(isEncoderDecoder(paths, isDeclared)).toBe(expected);
  });
});
