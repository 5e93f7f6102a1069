"""Tiny random models, one an architecture: few layers, fewer K/V heads than heads, no two sizes equal where that would hide a mistake."""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers as hf
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
    """One architecture: its configuration and the linear modules of a block in the order PEFT sees them, or an expression for them."""

    name: str
    config: PretrainedConfig
    linear: tuple[str, ...] | str
    #: the standard deviation of embeddings: Gemma multiplies them by sqrt(hidden_size)
    embedding_spread: float = 0.6
    #: Gemma stores norm weights less 1
    norm_centre: float = 1.0
    #: what released checkpoints have in config.json and transformers no longer writes, but llama.cpp's converter reads
    released: dict[str, Any] = field(default_factory=dict)
    #: whether llama.cpp's converter reads config.json itself for this family
    reads_config: bool = False
    #: flags for llama.cpp's converter
    flags: tuple[str, ...] = ()
    #: parameters of routed experts that a second adapter, `experts`, is of
    experts: tuple[str, ...] = ()
    #: whether masks, greedy answers and the like are recorded too, besides the boundaries
    is_whole: bool = True
    #: makes the network; those with a vision tower have classes of their own
    make: Callable[..., PreTrainedModel] = AutoModelForCausalLM.from_config

    @property
    def layers(self) -> int:
        """Blocks of the text decoder."""
        return getattr(self.config, "text_config", self.config).num_hidden_layers

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


def _families() -> list[Architecture]:
    """Families of which one plain adapter is recorded at every boundary. Three layers; widths that show where rows go."""
    sizes = SHARED | {"num_hidden_layers": 3, "intermediate_size": 64}
    heads = sizes | {"head_dim": 8}
    split = SPLIT_ATTENTION + GATED_MLP

    ungated = SPLIT_ATTENTION + ("up_proj", "down_proj")
    untied = {"tie_word_embeddings": False}
    # Names of feed-forward modules would have PEFT adapt the experts too: attention alone stands for mixtures of experts.
    mamba = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 16, "mamba_expand": 2}
    experts = {"num_experts": 4, "num_experts_per_tok": 2}
    old = {"vocab_size": VOCABULARY_SIZE, "bos_token_id": BEGIN_ID, "eos_token_id": END_ID, "use_cache": False}

    def family(name: str, config: PretrainedConfig, linear: tuple[str, ...], moe: str = "", **more: Any) -> Architecture:
        parameters = (f"{moe}.experts.gate_up_proj", f"{moe}.experts.down_proj") if moe else ()
        return Architecture(name, config, linear, is_whole=False, experts=parameters, **more)

    # One section a part of a position: of text all three are the same.
    sections = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}}
    rotary = {"rope_parameters": sections["rope_parameters"] | {"partial_rotary_factor": 0.5}}
    tower = {"depth": 1, "hidden_size": 32, "num_heads": 4}

    latent = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
    routed = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1}

    def vision(make: Callable[..., PreTrainedModel], name: str, config: PretrainedConfig, **more: Any) -> Architecture:
        """With a small tower that is never asked; the adapter is the text decoder's."""
        return family(name, config, r".*language_model\..*\.(" + "|".join(split) + ")", make=make._from_config, **more)

    return [
        family("mistral", hf.MistralConfig(**sizes, sliding_window=None), split),
        family("smollm3", hf.SmolLM3Config(**sizes | {"num_hidden_layers": 5}, no_rope_layer_interval=4), split),
        family(
            "granite",
            hf.GraniteConfig(**sizes, **untied, embedding_multiplier=2.0, residual_multiplier=0.5, attention_multiplier=0.3, logits_scaling=2.0),
            split,
        ),
        family("apertus", hf.ApertusConfig(**sizes), ungated),
        family("seed_oss", hf.SeedOssConfig(**heads), split),
        family("arcee", hf.ArceeConfig(**sizes), ungated),
        family("gemma", hf.GemmaConfig(**heads), split, embedding_spread=0.5, norm_centre=0.0),
        family("olmo", hf.OlmoConfig(**sizes), split),
        family("olmo2", hf.Olmo2Config(**sizes), split),
        family("olmo3", hf.Olmo3Config(**sizes, sliding_window=64), split),
        # llama.cpp's converter takes this epsilon, whatever the configuration says.
        family("glm", hf.GlmConfig(**heads, rms_norm_eps=1e-5), SPLIT_ATTENTION + ("gate_up_proj", "down_proj")),
        family("glm4", hf.Glm4Config(**heads), SPLIT_ATTENTION + ("gate_up_proj", "down_proj")),
        family("cohere", hf.CohereConfig(**sizes, logit_scale=0.5), split),
        family("cohere2", hf.Cohere2Config(**sizes, sliding_window=64, logit_scale=0.5), split, released={"rotary_pct": 1.0}),
        family("starcoder2", hf.Starcoder2Config(**sizes, sliding_window=None), SPLIT_ATTENTION + ("c_fc", "c_proj")),
        family("stablelm", hf.StableLmConfig(**sizes), split),
        family("nemotron", hf.NemotronConfig(**sizes), ungated),
        family("exaone4", hf.Exaone4Config(**sizes, sliding_window=64, sliding_window_pattern=4), split),
        family("ernie4_5", hf.Ernie4_5Config(**heads), split),
        family("hunyuan-dense", hf.HunYuanDenseV1Config(**heads), split),
        family("jais2", hf.Jais2Config(**sizes), ungated),
        family("phi4-mini", hf.Phi3Config(**sizes, original_max_position_embeddings=256, partial_rotary_factor=0.5, tie_word_embeddings=True), ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")),
        family("gpt2", hf.GPT2Config(**old, n_embd=32, n_layer=3, n_head=4, n_positions=256), ("c_attn", "c_proj", "c_fc"), released={"n_ctx": 256}),
        family(
            "gpt_neox",
            hf.GPTNeoXConfig(**sizes, rotary_pct=0.5, **untied),
            ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
            released={"rotary_pct": 0.5},
        ),
        family("bloom", hf.BloomConfig(**old, hidden_size=32, n_layer=3, n_head=4), ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h")),
        family(
            "falcon",
            hf.FalconConfig(**old, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True),
            ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
        ),
        family(
            "falcon-7b",
            hf.FalconConfig(**old, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, new_decoder_architecture=False, multi_query=True),
            ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
            released={"num_kv_heads": 1},
        ),
        family(
            "lfm2",
            hf.Lfm2Config(**sizes, layer_types=["conv", "full_attention", "conv"], block_auto_adjust_ff_dim=False),
            ("q_proj", "k_proj", "v_proj", "out_proj", "in_proj", "w1", "w2", "w3"),
        ),
        family(
            "falcon_h1",
            hf.FalconH1Config(**sizes, mamba_d_ssm=64, **mamba),
            split + ("in_proj",),
            released={"head_dim": 8},
        ),
        # PEFT adapts no out_proj of the Mamba family by itself: its kernels would pass the adapter by.
        family("mamba", hf.MambaConfig(**old, hidden_size=32, num_hidden_layers=3, state_size=16), ("in_proj", "x_proj")),
        family("mamba2", hf.Mamba2Config(**old, hidden_size=32, num_hidden_layers=3, num_heads=8, head_dim=8, state_size=16, n_groups=1, expand=2), ("in_proj",)),
        family("gpt-oss", hf.GptOssConfig(**heads, num_local_experts=4, num_experts_per_tok=2, sliding_window=64, rope_parameters={"rope_type": "default", "rope_theta": 10000.0}), SPLIT_ATTENTION, moe="mlp"),
        family("mixtral", hf.MixtralConfig(**sizes, num_local_experts=4, num_experts_per_tok=2), SPLIT_ATTENTION, moe="mlp"),
        family("olmoe", hf.OlmoeConfig(**sizes | {"num_key_value_heads": 4}, **experts), SPLIT_ATTENTION, moe="mlp"),
        family("granite-moe", hf.GraniteMoeConfig(**sizes, num_local_experts=4, num_experts_per_tok=2), SPLIT_ATTENTION, moe="block_sparse_moe"),
        family("qwen3_moe", hf.Qwen3MoeConfig(**heads, **experts, moe_intermediate_size=24, norm_topk_prob=True), SPLIT_ATTENTION, moe="mlp"),
        family(
            "qwen2_moe",
            hf.Qwen2MoeConfig(**sizes, **experts, moe_intermediate_size=24, shared_expert_intermediate_size=40),
            SPLIT_ATTENTION,
            moe="mlp",
        ),
        family(
            "glm4_moe",
            hf.Glm4MoeConfig(**heads, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, n_shared_experts=1, first_k_dense_replace=1),
            SPLIT_ATTENTION,
            moe="mlp",
        ),
        family(
            "dots1",
            hf.Dots1Config(**sizes | {"num_key_value_heads": 4}, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, n_shared_experts=1, first_k_dense_replace=1),
            SPLIT_ATTENTION,
            released={"scoring_func": "sigmoid"},
            moe="mlp",
        ),
        family(
            "ernie4_5-moe",
            hf.Ernie4_5_MoeConfig(
                **sizes, moe_num_experts=4, moe_k=2, moe_intermediate_size=32, moe_num_shared_experts=1, moe_layer_start_index=1, moe_layer_end_index=2
            ),
            SPLIT_ATTENTION,
            moe="mlp",
        ),
        family(
            "lfm2_moe",
            hf.Lfm2MoeConfig(**sizes, layer_types=["conv", "full_attention", "conv"], **experts, moe_intermediate_size=24, num_dense_layers=1),
            ("q_proj", "k_proj", "v_proj", "out_proj", "in_proj"),
            moe="feed_forward",
        ),
        family(
            "llama4",
            hf.Llama4TextConfig(**heads | {"num_hidden_layers": 4}, no_rope_layer_interval=4, intermediate_size_mlp=64, num_local_experts=4, num_experts_per_tok=1, interleave_moe_layer_step=2),
            SPLIT_ATTENTION,
            moe="feed_forward",
        ),
        family(
            "jamba",
            hf.JambaConfig(
                **sizes, **experts, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=1,
                use_mamba_kernels=False, mamba_d_state=16, mamba_dt_rank=4,
            ),
            SPLIT_ATTENTION + ("in_proj", "x_proj", "out_proj"),
            moe="feed_forward",
        ),
        family(
            "deepseek2",
            hf.DeepseekV2Config(
                **sizes | {"num_key_value_heads": 4}, q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8,
                n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, n_shared_experts=1, first_k_dense_replace=1, n_group=1, topk_group=1,
            ),
            # llama.cpp multiplies by the other matrices of latent attention without their adapters.
            ("o_proj",),
            moe="mlp",
        ),
        family(
            "qwen3_next",
            hf.Qwen3NextConfig(
                **heads | {"num_hidden_layers": 4}, **experts, moe_intermediate_size=24, shared_expert_intermediate_size=40,
                linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
            ),
            SPLIT_ATTENTION + ("in_proj_qkvz", "in_proj_ba", "out_proj"),
            flags=("--no-mtp",),
            moe="mlp",
        ),
        family(
            "qwen3_5",
            hf.Qwen3_5TextConfig(
                **heads | {"num_hidden_layers": 4, "head_dim": 16}, **rotary,
                linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
            ),
            SPLIT_ATTENTION + GATED_MLP + ("in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj"),
            flags=("--no-mtp",),
        ),
        family(
            "qwen3_5_moe",
            hf.Qwen3_5MoeTextConfig(
                **heads | {"num_hidden_layers": 4, "head_dim": 16}, **rotary, **experts, moe_intermediate_size=24, shared_expert_intermediate_size=40,
                linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
            ),
            SPLIT_ATTENTION + ("in_proj_qkv", "in_proj_z", "in_proj_a", "in_proj_b", "out_proj"),
            flags=("--no-mtp",),
            moe="mlp",
        ),
        vision(hf.Qwen2VLForConditionalGeneration, "qwen2_vl", hf.Qwen2VLConfig(text_config=hf.Qwen2VLTextConfig(**sizes, **sections, rms_norm_eps=1e-6).to_dict(), vision_config=tower | {"embed_dim": 32, "mlp_ratio": 2})),
        vision(
            hf.Qwen2_5_VLForConditionalGeneration,
            "qwen2_5_vl",
            hf.Qwen2_5_VLConfig(
                text_config=hf.Qwen2_5_VLTextConfig(**sizes, **sections, rms_norm_eps=1e-6).to_dict(),
                vision_config=tower | {"out_hidden_size": 32, "intermediate_size": 32, "fullatt_block_indexes": [0]},
            ),
        ),
        vision(
            hf.Qwen3VLForConditionalGeneration,
            "qwen3_vl",
            hf.Qwen3VLConfig(
                text_config=hf.Qwen3VLTextConfig(**heads, **sections).to_dict(),
                vision_config=tower | {"out_hidden_size": 32, "intermediate_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
            ),
        ),
        vision(
            hf.Gemma3ForConditionalGeneration,
            "gemma3-vision",
            hf.Gemma3Config(
                text_config=hf.Gemma3TextConfig(**heads | {"num_hidden_layers": 6}, sliding_window=64, query_pre_attn_scalar=8).to_dict(),
                vision_config={"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 28, "patch_size": 14},
                mm_tokens_per_image=4,
            ),
            embedding_spread=0.5,
            norm_centre=0.0,
        ),
        family("ministral3", hf.Ministral3Config(**heads), split),
        family("gpt_bigcode", hf.GPTBigCodeConfig(**old, n_embd=32, n_layer=3, n_head=4, n_positions=256), ("c_attn", "c_proj", "c_fc")),
        family(
            "mpt",
            hf.MptConfig(vocab_size=VOCABULARY_SIZE, d_model=32, n_heads=4, n_layers=3, max_seq_len=256, no_bias=True, use_cache=False),
            ("Wqkv", "out_proj", "up_proj", "down_proj"),
            released={"architectures": ["MPTForCausalLM"]},
        ),
        family(
            "hunyuan-moe",
            hf.HunYuanMoEV1Config(**heads, num_experts=4, moe_topk=2),
            SPLIT_ATTENTION,
            moe="mlp",
            released={"moe_topk": [2, 2, 2], "moe_intermediate_size": [64, 64, 64], "num_shared_expert": [1, 1, 1]},
        ),
        family("granite-moe-shared", hf.GraniteMoeSharedConfig(**sizes, num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=40), SPLIT_ATTENTION + ("input_linear", "output_linear"), moe="block_sparse_moe"),
        family(
            "granite-hybrid",
            hf.GraniteMoeHybridConfig(
                **sizes, layer_types=["mamba", "attention", "mamba"], shared_intermediate_size=64, num_local_experts=0, num_experts_per_tok=0, **mamba
            ),
            SPLIT_ATTENTION + ("in_proj", "input_linear", "output_linear"),
            released={"layer_types": ["mamba", "attention", "mamba"], "num_experts_per_tok": None},
            reads_config=True,
        ),
        family(
            "nemotron_h",
            hf.NemotronHConfig(**heads | {"num_hidden_layers": 4}, layers_block_type=["mamba", "mlp", "attention", "mlp"], mamba_num_heads=8, mamba_head_dim=8, ssm_state_size=16, n_groups=1),
            SPLIT_ATTENTION + ("in_proj", "up_proj", "down_proj"),
            released={"hybrid_override_pattern": "M-*-", "num_experts_per_tok": None, "n_routed_experts": None, "n_group": None, "topk_group": None},
            reads_config=True,
        ),
        family("minicpm3", hf.MiniCPM3Config(**sizes | {"num_key_value_heads": 4}, **latent, rms_norm_eps=1e-6), ("o_proj",) + GATED_MLP),
        family("deepseek_v3", hf.DeepseekV3Config(**sizes | {"num_key_value_heads": 4}, **latent, **routed), ("o_proj",), moe="mlp", released={"scoring_func": "sigmoid"}),
        family("glm4_moe_lite", hf.Glm4MoeLiteConfig(**sizes | {"num_key_value_heads": 4}, **latent, **routed), ("o_proj",), moe="mlp", released={"scoring_func": "sigmoid"}),
        family("exaone_moe", hf.ExaoneMoeConfig(**heads, **experts, moe_intermediate_size=24, num_shared_experts=1, first_k_dense_replace=1, n_group=1, topk_group=1), SPLIT_ATTENTION, moe="mlp", released={"scoring_func": "sigmoid"}),
        family("cohere2_moe", hf.Cohere2MoeConfig(**sizes, **experts, sliding_window=64, logit_scale=0.5), SPLIT_ATTENTION, moe="mlp"),
        family("minimax_m2", hf.MiniMaxM2Config(**heads, num_local_experts=4, num_experts_per_tok=2), SPLIT_ATTENTION, moe="mlp", released={"rotary_dim": 8, "scoring_func": "sigmoid"}),
        family("exaone", hf.ExaoneConfig(**sizes), split),
    ]


ARCHITECTURES = {architecture.name: architecture for architecture in _architectures()}
FAMILIES = {architecture.name: architecture for architecture in _families()}


def seed_of(*words: str) -> int:
    """One seed a name, the same everywhere."""
    return zlib.crc32("/".join(words).encode())


def generator_of(*words: str) -> torch.Generator:
    """A random stream that depends on its name alone."""
    return torch.Generator().manual_seed(seed_of(*words))


#: token and position embeddings and heads, by the names of all families
EMBEDDING = re.compile(r"embed_tokens|lm_head|wte|wpe|word_embeddings(?!_layernorm)|embed_in|embed_out|backbone\.embeddings")
#: what state-space layers compute with besides matrices: left as transformers makes it
STATE_SPACE = re.compile(r"A_log|dt_bias|\.D$|conv1d|conv\.conv")


def _spread(architecture: Architecture, name: str, parameter: torch.Tensor) -> tuple[float, float]:
    """(centre, standard deviation) of a parameter's random values."""
    if re.search(r"norm|ln_|\.norm_", name) and name.endswith("weight"):
        return architecture.norm_centre, 0.25
    if name.endswith("bias"):
        return 0.0, 0.3
    if EMBEDDING.search(name):
        return 0.0, architecture.embedding_spread
    return 0.0, 1.2 / parameter.shape[-1] ** 0.5


def make_model(architecture: Architecture) -> PreTrainedModel:
    """The model in float32 with random weights; norms differ from 1 and biases from 0."""
    # What is not set below is the same each time.
    torch.manual_seed(seed_of(architecture.name))
    model = architecture.make(architecture.config, attn_implementation="eager", dtype=torch.float32).eval()
    model.config.name_or_path = architecture.base_name
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if STATE_SPACE.search(name):
                continue
            centre, deviation = _spread(architecture, name, parameter)
            random = torch.randn(parameter.shape, generator=generator_of(architecture.name, "base", name))
            parameter.copy_(centre + deviation * random)
    return model
