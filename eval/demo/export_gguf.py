"""Writes the trained base and adapter as GGUF files for llama.cpp.

    python export_gguf.py --from DIR --out .

reads DIR/base (Hugging Face) and DIR/adapter (PEFT), and writes model.gguf
(matrices F16, norms F32) and adapter.gguf (F32).
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
TOP = {"embed_tokens": "token_embd", "norm": "output_norm"}


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def gguf_name(module: str) -> str:
    """The GGUF name of a module such as `layers.3.mlp.up_proj`."""
    if not module.startswith("layers."):
        return TOP[module]
    _, layer, rest = module.split(".", 2)
    return f"blk.{layer}.{MODULES[rest]}"


def rotary_order(rows: np.ndarray, module: str, config: dict) -> np.ndarray:
    """Reorders the output rows of q and k from half-split to interleaved rotary pairs."""
    heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(module.rsplit(".", 1)[-1])
    if heads is None:
        return rows
    count = config[heads]
    return (
        rows.reshape(count, 2, rows.shape[0] // count // 2, *rows.shape[1:])
        .swapaxes(1, 2)
        .reshape(rows.shape)
    )


def add_general(writer: gguf.GGUFWriter, kind: str, name: str) -> None:
    writer.add_type(kind)
    writer.add_name(name)
    writer.add_license("mit")


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter, source: Path) -> None:
    """Copies the byte-level BPE, its special tokens and the chat template."""
    bpe, settings = read_json(source / "tokenizer.json"), read_json(source / "tokenizer_config.json")
    special = {token["content"]: token["id"] for token in bpe["added_tokens"]}
    vocabulary = sorted(bpe["model"]["vocab"], key=bpe["model"]["vocab"].get)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in vocabulary]
    )
    writer.add_token_merges(merges)
    writer.add_bos_token_id(special[settings["pad_token"]])
    writer.add_eos_token_id(special[settings["eos_token"]])
    writer.add_pad_token_id(special[settings["pad_token"]])
    writer.add_add_bos_token(False)
    writer.add_chat_template((source / "chat_template.jinja").read_text(encoding="utf-8"))


def write_base(source: Path, target: Path) -> None:
    """Writes the base model; the output matrix is tied to the embedding."""
    config = read_json(source / "config.json")
    writer = gguf.GGUFWriter(target, "llama")
    add_general(writer, gguf.GGUFType.MODEL, "boundary-demo-base")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    add_tokenizer(writer, source)
    for key, weight in load_file(source / "model.safetensors").items():
        module = key.removeprefix("model.").removesuffix(".weight")
        kind = np.float16 if weight.ndim == 2 else np.float32
        writer.add_tensor(f"{gguf_name(module)}.weight", rotary_order(weight, module, config).astype(kind))
    finish(writer)


def write_adapter(source: Path, base: Path, target: Path) -> None:
    """Writes the LoRA matrices as llama.cpp's converter does."""
    config, lora = read_json(base / "config.json"), read_json(source / "adapter_config.json")
    writer = gguf.GGUFWriter(target, "llama")
    add_general(writer, gguf.GGUFType.ADAPTER, "boundary-demo-adapter")
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(lora["lora_alpha"]))
    for key, weight in load_file(source / "adapter_model.safetensors").items():
        module, side = key.removeprefix("base_model.model.model.").removesuffix(".weight").rsplit(".", 1)
        if side == "lora_B":
            weight = rotary_order(weight, module, config)
        writer.add_tensor(f"{gguf_name(module)}.weight.{side.lower()}", weight.astype(np.float32))
    finish(writer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("."))
    options = parser.parse_args()
    write_base(options.source / "base", options.out / "model.gguf")
    write_adapter(options.source / "adapter", options.source / "base", options.out / "adapter.gguf")


if __name__ == "__main__":
    main()
