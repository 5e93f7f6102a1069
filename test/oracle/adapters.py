"""The adapters that PEFT must be matched on: made by PEFT, trained by chance, saved by PEFT."""

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_models import GATED_MLP, SPLIT_ATTENTION, Architecture, generator_of, make_model

LINEAR = [*SPLIT_ATTENTION, *GATED_MLP]
#: Keys of every form PEFT knows; the first that matches wins. PEFT sorts them when it saves, so what it trained with and what it
#: loads can differ. Here they are in sorted order already.
ALPHA_PATTERN = {
    "(gate|up)_proj": 12,
    r"^.*layers\.2\..*": 24,
    "layers.1.self_attn.q_proj": 2,
    "model.layers.3.mlp.down_proj": 1,
    "q_proj": 16,
}
RANK_PATTERN = {r"^.*layers\.2\..*": 3, "layers.1.self_attn.q_proj": 6, "v_proj": 2}

#: Options of LoraConfig by adapter name, all for llama. Rank 4 and alpha 8 where nothing else is said.
LLAMA_ADAPTERS: dict[str, dict[str, Any]] = {
    "rslora": {"target_modules": LINEAR, "use_rslora": True},
    "alpha-pattern": {"target_modules": LINEAR, "alpha_pattern": ALPHA_PATTERN},
    "rank-pattern": {"target_modules": LINEAR, "rank_pattern": RANK_PATTERN},
    "rslora-patterns": {
        "target_modules": LINEAR,
        "use_rslora": True,
        "alpha_pattern": ALPHA_PATTERN,
        "rank_pattern": RANK_PATTERN,
    },
    "layers-to-transform": {"target_modules": LINEAR, "layers_to_transform": [0, 2], "layers_pattern": "layers"},
    "attention-only": {"target_modules": r".*\.self_attn\.(q|k|v|o)_proj"},
    "embed-and-head": {"target_modules": ["embed_tokens", "lm_head", "q_proj", "v_proj"]},
}
#: Embedding and head at the ranks that are padded on their way to batches and at those that are not; rank 4 is `embed-and-head`.
EMBED_AND_HEAD = {f"embed-and-head-rank-{rank}": {"r": rank, "target_modules": ["embed_tokens", "lm_head", "q_proj"]} for rank in (1, 3, 8, 16)}
#: The same for the other architectures that have a head of their own.
OTHERS_EMBED_AND_HEAD: dict[str, dict[str, Any]] = {
    "qwen3": {"r": 8, "target_modules": ["embed_tokens", "lm_head", "q_proj"]},
    "phi3": {"r": 8, "target_modules": ["embed_tokens", "lm_head", "qkv_proj"]},
    "phi": {"r": 8, "target_modules": ["embed_tokens", "lm_head", "q_proj"]},
}
#: Standard deviation of B: a linear module's output moves by about a quarter of its size.
B_SPREAD = 0.06


def _randomise(model: PeftModel, *seed: str) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" not in name:
                continue
            # lora_embedding_A is (rank, vocabulary), each column chosen by one token: not an average over many inputs
            is_a = "lora_A" in name or "lora_embedding_A" in name
            spread = 1 / parameter.shape[1] ** 0.5 if "lora_A" in name else 0.5 if is_a else B_SPREAD
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator_of(*seed, name)))


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """adapter_config.json with PEFT's sets in a stable order. Inside the patterns the order has a meaning and stays."""
    for key in ("target_modules", "target_parameters", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")


def read_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json as PEFT wrote it."""
    return json.loads((folder / "adapter_config.json").read_text())


def peft_model(architecture: Architecture, config: PeftConfig, name: str) -> PeftModel:
    """A fresh base with an adapter whose A and B are random and not zero."""
    model = get_peft_model(make_model(architecture), config)
    _randomise(model, architecture.name, name)
    return model


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Lets PEFT save; keeps only the config and the tensors."""
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    write_config(folder, read_config(folder))


def lora_config(**options: Any) -> LoraConfig:
    """Rank 4 and alpha 8 unless the options say otherwise."""
    return LoraConfig(**({"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"} | options))


def make_adapter(architecture: Architecture, name: str, folder: Path, options: dict[str, Any]) -> None:
    """One PEFT folder."""
    save_adapter(peft_model(architecture, lora_config(**options), name), folder)


def make_without_copies(architecture: Architecture, name: str, folder: Path, options: dict[str, Any]) -> None:
    """One PEFT folder without the copies of embedding and head that PEFT writes beside their adapters, which are most of the file."""
    make_adapter(architecture, name, folder, options)
    tensors = load_file(folder / "adapter_model.safetensors")
    write_tensors(folder, {key: tensor for key, tensor in tensors.items() if ".base_layer." not in key})


def reorder_patterns(source: Path, folder: Path) -> None:
    """The same adapter with its pattern keys the other way round, as a config from another tool may have them."""
    config = read_config(source)
    config["alpha_pattern"] = dict(reversed(config["alpha_pattern"].items()))
    write_tensors(folder, load_file(source / "adapter_model.safetensors"))
    write_config(folder, config)


def retype(source: Path, folder: Path, dtype: torch.dtype) -> None:
    """The same adapter with its tensors rounded to another type."""
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(source / "adapter_model.safetensors").items()}
    write_tensors(folder, tensors)
    write_config(folder, read_config(source))


def write_tensors(folder: Path, tensors: dict[str, torch.Tensor], file: str = "adapter_model.safetensors") -> None:
    """A safetensors file with the metadata PEFT gives it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / file, {"format": "pt"})
