"""Adapters that must be refused or at least warned of: made by PEFT where it can, else a small adapter with one thing wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from adapters import lora_config, peft_model, read_config, save_adapter, write_config, write_tensors
from peft import IA3Config, PeftConfig
from safetensors.torch import load_file
from tiny_models import ARCHITECTURES, Architecture, generator_of

#: One module of one layer: enough to be found.
SMALL: dict[str, Any] = {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [0]}
Q0 = "base_model.model.model.layers.0.self_attn.q_proj"
Tensors = dict[str, torch.Tensor]

#: (architecture, name, verdict, what is in it, PEFT config): saved by PEFT itself.
BY_PEFT: list[tuple[str, str, str, str, PeftConfig]] = [
    ("llama", "dora", "refuse", "DoRA: a magnitude vector beside each A and B", lora_config(**SMALL, use_dora=True)),
    ("llama", "lora-bias", "refuse", "a bias on lora_B", lora_config(**SMALL, lora_bias=True)),
    ("llama", "modules-to-save-head", "refuse", "a whole trained lm_head", lora_config(**SMALL, modules_to_save=["lm_head"])),
    ("llama", "modules-to-save-norm", "refuse", "a trained final norm", lora_config(**SMALL, modules_to_save=["model.norm"])),
    (
        "llama",
        "trainable-tokens",
        "refuse",
        "three trained rows of the embedding",
        lora_config(**SMALL, trainable_token_indices={"embed_tokens": [1, 2, 3]}),
    ),
    (
        "llama",
        "ia3",
        "refuse",
        "IA3: scaling vectors, no LoRA",
        IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"),
    ),
    (
        "llama",
        "alora",
        "refuse",
        "activated LoRA: works only after its invocation tokens",
        lora_config(**SMALL, alora_invocation_tokens=[10, 11, 12]),
    ),
    ("qwen2", "bias-all", "refuse", "the base's own biases, trained", lora_config(**SMALL, bias="all")),
    ("qwen2", "bias-lora-only", "refuse", "biases of the targeted modules, trained", lora_config(**SMALL, bias="lora_only")),
    ("phi", "bias-all", "refuse", "biases of linear modules and norms, trained", lora_config(**SMALL, bias="all")),
    ("qwen2", "embed-on-tied", "refuse", "an embedding adapter on a tied base", lora_config(target_modules=["embed_tokens", "q_proj"])),
    ("qwen2", "head-on-tied", "refuse", "a head adapter on a tied base", lora_config(target_modules=["lm_head", "q_proj"])),
    ("gemma2", "embed-on-tied", "refuse", "an embedding adapter on a tied base", lora_config(target_modules=["embed_tokens", "q_proj"])),
]

#: (name, verdict, what is in it, changed settings of the config): the tensors stay those of an ordinary adapter.
BY_CONFIG: list[tuple[str, str, str, dict[str, Any]]] = [
    ("loftq", "warn", "LoftQ: trained on a changed base", {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}),
    ("pissa", "warn", "PiSSA: trained on a changed base", {"init_lora_weights": "pissa"}),
    ("pissa-niter", "warn", "PiSSA in its fast form", {"init_lora_weights": "pissa_niter_16"}),
    ("olora", "warn", "OLoRA: trained on a changed base", {"init_lora_weights": "olora"}),
    ("corda", "warn", "CorDA: trained on a changed base", {"init_lora_weights": "corda"}),
    ("alpha-0", "warn", "alpha 0: llama.cpp reads it as scale 1", {"lora_alpha": 0}),
    ("config-rank", "refuse", "the config says rank 8, the tensors have 4: PEFT does not load it", {"r": 8}),
    ("other-base", "warn", "made for another model by name", {"base_model_name_or_path": "tiny-other"}),
]


def _nan_in_b(tensors: Tensors) -> None:
    tensors[f"{Q0}.lora_B.weight"][3, 1] = float("nan")


def _infinity_in_a(tensors: Tensors) -> None:
    tensors[f"{Q0}.lora_A.weight"][1, 3] = float("inf")


def _zero_b(tensors: Tensors) -> None:
    for name in tensors:
        if ".lora_B." in name:
            tensors[name] = torch.zeros_like(tensors[name])


def _missing_partner(tensors: Tensors) -> None:
    del tensors[f"{Q0}.lora_B.weight"]


def _rank_disagreement(tensors: Tensors) -> None:
    tensors[f"{Q0}.lora_B.weight"] = tensors[f"{Q0}.lora_B.weight"][:, :3]


def _wrong_shape(tensors: Tensors) -> None:
    tensors[f"{Q0}.lora_A.weight"] = torch.cat([tensors[f"{Q0}.lora_A.weight"]] * 2, 1)


def _layer_beyond(tensors: Tensors) -> None:
    for side in ("A", "B"):
        tensors[f"{Q0}.lora_{side}.weight".replace("layers.0.", "layers.4.")] = tensors[f"{Q0}.lora_{side}.weight"].clone()


def _unknown_module(tensors: Tensors) -> None:
    for side in ("A", "B"):
        tensors[f"{Q0}.lora_{side}.weight".replace("q_proj", "gate")] = tensors[f"{Q0}.lora_{side}.weight"].clone()


def _unknown_tensor(tensors: Tensors) -> None:
    tensors[f"{Q0}.lora_C.weight"] = torch.ones(4, 4)


def _same_module_twice(tensors: Tensors) -> None:
    name = f"{Q0}.lora_A.weight"
    tensors[name.replace(".weight", ".default.weight")] = tensors[name] * 2


#: (name, verdict, what is in it, the change to the tensors).
BY_TENSORS: list[tuple[str, str, str, Callable[[Tensors], None]]] = [
    ("nan-in-b", "refuse", "a NaN in one B", _nan_in_b),
    ("infinity-in-a", "refuse", "an infinity in one A", _infinity_in_a),
    ("zero-b", "warn", "every B is zero: never trained", _zero_b),
    ("missing-partner", "refuse", "an A without its B", _missing_partner),
    ("rank-disagreement", "refuse", "A has rank 4, its B rank 3", _rank_disagreement),
    ("wrong-shape", "refuse", "A is 64 wide, the model's layers 32", _wrong_shape),
    ("layer-beyond", "refuse", "a tensor of layer 4, the model has layers 0 to 3", _layer_beyond),
    ("unknown-module", "refuse", "a module the architecture does not have", _unknown_module),
    ("unknown-tensor", "refuse", "a tensor that is neither A nor B", _unknown_tensor),
    ("same-module-twice", "refuse", "one module's A under two names", _same_module_twice),
]


def _train_the_rest(architecture: Architecture, model: torch.nn.Module, name: str) -> None:
    """Random values for what PEFT trains beside A and B: biases, magnitudes, saved modules, IA3 vectors."""
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad and "lora_A" not in parameter_name and "lora_B" not in parameter_name:
            noise = torch.randn(parameter.shape, generator=generator_of(architecture.name, name, parameter_name))
            parameter.data += 0.2 * noise


def make_refused(architecture: Architecture, folder: Path) -> None:
    """All refused folders of an architecture and an index.json that says what each holds."""
    index: list[dict[str, str]] = []

    def note(name: str, verdict: str, holds: str) -> Path:
        index.append({"name": name, "verdict": verdict, "holds": holds})
        return folder / name

    for of_architecture, name, verdict, holds, config in BY_PEFT:
        if of_architecture == architecture.name:
            model = peft_model(architecture, config, name)
            _train_the_rest(architecture, model, name)
            save_adapter(model, note(name, verdict, holds))
    if architecture.name == "llama":
        _make_by_hand(architecture, folder, note)
    if index:
        (folder / "index.json").write_text(json.dumps(index, indent=2) + "\n")


def _make_by_hand(architecture: Architecture, folder: Path, note: Callable[[str, str, str], Path]) -> None:
    plain = folder / "plain"
    save_adapter(peft_model(architecture, lora_config(**SMALL), "small"), plain)
    config = read_config(plain)
    read = lambda: load_file(plain / "adapter_model.safetensors")  # noqa: E731
    for name, verdict, holds, settings in BY_CONFIG:
        target = note(name, verdict, holds)
        write_tensors(target, read())
        write_config(target, config | settings)
    for name, verdict, holds, change in BY_TENSORS:
        target, tensors = note(name, verdict, holds), read()
        change(tensors)
        write_tensors(target, tensors)
        write_config(target, config)
    for file in plain.iterdir():
        file.unlink()
    plain.rmdir()


assert {entry[0] for entry in BY_PEFT} <= ARCHITECTURES.keys()
