"""Tiny random models, one an architecture: few layers, fewer K/V heads than heads, no two sizes equal where that would hide a mistake."""

import zlib
from dataclasses import dataclass
from typing import Any

import torch
from tiny_tokenizer import BEGIN_ID, END_ID, PAD_ID, VOCABULARY_SIZE
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers import Gemma2Config, Gemma3TextConfig, LlamaConfig, Phi3Config, PhiConfig, Qwen2Config, Qwen3Config

#: Sizes that all share. Heads of 8 on 32 wide layers; the grouped ones have two K/V heads under four heads.
SHARED: dict[str, Any] = {
    "vocab_size": VOCABULARY_SIZE,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": BEGIN_ID,
    "eos_token_id": END_ID,
    "pad_token_id": PAD_ID,
    "use_cache": False,
}


@dataclass(frozen=True)
class Architecture:
    """One architecture: its configuration and the linear modules of a block in the order PEFT sees them."""

    name: str
    config: PretrainedConfig
    linear: tuple[str, ...]
    #: the standard deviation of embeddings: Gemma multiplies them by sqrt(hidden_size)
    embedding_spread: float = 0.6
    #: Gemma stores norm weights less 1
    norm_centre: float = 1.0

    @property
    def base_name(self) -> str:
        """What adapters record as their base."""
        return f"tiny-{self.name}"


SPLIT_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
GATED_MLP = ("gate_proj", "up_proj", "down_proj")


def _architectures() -> list[Architecture]:
    split = SPLIT_ATTENTION + GATED_MLP
    wide_heads = SHARED | {"head_dim": 12}
    gemma = wide_heads | {"query_pre_attn_scalar": 12, "sliding_window": 64}
    phi = SHARED | {"intermediate_size": 128, "num_key_value_heads": 4}
    return [
        Architecture("llama", LlamaConfig(**SHARED, tie_word_embeddings=False), split),
        Architecture("qwen2", Qwen2Config(**SHARED, tie_word_embeddings=True), split),
        Architecture("qwen3", Qwen3Config(**wide_heads, tie_word_embeddings=False), split),
        Architecture("gemma2", Gemma2Config(**gemma), split, embedding_spread=0.5, norm_centre=0.0),
        # Six layers: llama.cpp's Gemma 3 has one layer of global attention in six.
        Architecture(
            "gemma3", Gemma3TextConfig(**gemma | {"num_hidden_layers": 6}), split, embedding_spread=0.5, norm_centre=0.0
        ),
        Architecture(
            "phi3",
            Phi3Config(**SHARED, original_max_position_embeddings=256, tie_word_embeddings=False),
            ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
        ),
        # llama.cpp's phi-2 has neither grouped K/V heads nor a feed-forward width other than four times the hidden size.
        Architecture("phi", PhiConfig(**phi, tie_word_embeddings=False), ("q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2")),
    ]


ARCHITECTURES = {architecture.name: architecture for architecture in _architectures()}


def seed_of(*words: str) -> int:
    """One seed a name, the same everywhere."""
    return zlib.crc32("/".join(words).encode())


def generator_of(*words: str) -> torch.Generator:
    """A random stream that depends on its name alone."""
    return torch.Generator().manual_seed(seed_of(*words))


def _spread(architecture: Architecture, name: str, parameter: torch.Tensor) -> tuple[float, float]:
    """(centre, standard deviation) of a parameter's random values."""
    if "norm" in name and name.endswith("weight"):
        return architecture.norm_centre, 0.25
    if name.endswith("bias"):
        return 0.0, 0.3
    if "embed_tokens" in name or "lm_head" in name:
        return 0.0, architecture.embedding_spread
    return 0.0, 1.2 / parameter.shape[1] ** 0.5


def make_model(architecture: Architecture) -> PreTrainedModel:
    """The model in float32 with random weights; norms differ from 1 and biases from 0."""
    model = AutoModelForCausalLM.from_config(architecture.config, attn_implementation="eager", dtype=torch.float32).eval()
    model.config.name_or_path = architecture.base_name
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            centre, deviation = _spread(architecture, name, parameter)
            random = torch.randn(parameter.shape, generator=generator_of(architecture.name, "base", name))
            parameter.copy_(centre + deviation * random)
    return model
