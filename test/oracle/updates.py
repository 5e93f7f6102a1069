"""Adapters in layouts that PEFT itself does not load here, written from numpy arrays, and the model with their updates in its weights."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from expected import log_probabilities, prompts_of
from make_fixtures import _as_rows
from safetensors.numpy import save_file
from tiny_models import ARCHITECTURES, FAMILIES, Architecture, make_model, seed_of

HOME = Path(__file__).parent / "kinds"
#: An update of a parameter: (layer, path in the model, expert, first row, matrix).
Update = tuple[int, str, int | None, int, np.ndarray]


def _boundaries(architecture: Architecture, updates: list[Update]) -> list[list[list[float]]]:
    """[K][prompt][token id]: the base plus the updates of layers below K."""
    rows = []
    for boundary in range(architecture.layers + 1):
        model = make_model(architecture)
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for layer, path, expert, first, delta in updates:
                if layer >= boundary:
                    continue
                weight = parameters[path] if expert is None else parameters[path][expert]
                weight[first : first + delta.shape[0]] += torch.from_numpy(delta)
        rows.append(log_probabilities(model, prompts_of(architecture)))
    return rows


def _write(name: str, architecture: Architecture, base: str, config: dict[str, Any], file: str, tensors: dict[str, np.ndarray], updates: list[Update]) -> None:
    folder = HOME / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / file)
    boundaries = _boundaries(architecture, updates)
    moved = max(abs(a - b) for row, other in zip(boundaries[0], boundaries[-1]) for a, b in zip(row, other))
    print(f"{name}: moves log-probabilities by {moved:.3g}")
    expected = {"base": base, "layers": architecture.layers, "prompts": prompts_of(architecture), "boundaries": boundaries}
    (folder / "expected.json").write_text(_as_rows(expected) + "\n")


def _random(*words: str) -> np.random.Generator:
    return np.random.default_rng(seed_of(*words))


def _matrix(random: np.random.Generator, *shape: int, spread: float) -> np.ndarray:
    return (spread * random.standard_normal(shape)).astype(np.float32)


def mlx() -> None:
    """mlx-lm's LoRALinear: y = x W' + scale (x lora_a) lora_b, on the last three of four layers."""
    architecture = ARCHITECTURES["llama"]
    random = _random("mlx")
    rank, scale = 4, 20.0
    tensors: dict[str, np.ndarray] = {}
    updates: list[Update] = []
    for path, weight in make_model(architecture).named_parameters():
        parts = path.split(".")
        if not path.endswith("_proj.weight") or int(parts[2]) == 0:
            continue
        outputs, inputs = weight.shape
        a, b = _matrix(random, inputs, rank, spread=inputs**-0.5), _matrix(random, rank, outputs, spread=0.006)
        module = path.removesuffix(".weight")
        tensors |= {f"{module}.lora_a": a, f"{module}.lora_b": b}
        updates.append((int(parts[2]), path, None, 0, (scale * (a.astype(np.float64) @ b)).T.astype(np.float32)))
    config = {"fine_tune_type": "lora", "lora_parameters": {"dropout": 0.0, "rank": rank, "scale": scale}, "model": "tiny-llama", "num_layers": 3}
    _write("mlx", architecture, "fixtures/llama", config, "adapters.safetensors", tensors, updates)


def mlx_experts() -> None:
    """mlx-lm's LoRASwitchLinear: lora_a [experts, rank, in] and lora_b [experts, out, rank]."""
    architecture = FAMILIES["qwen3_moe"]
    random = _random("mlx-experts")
    rank, scale = 2, 10.0
    tensors: dict[str, np.ndarray] = {}
    updates: list[Update] = []
    for path, weight in make_model(architecture).named_parameters():
        if ".experts." not in path:
            continue
        layer = int(path.split(".")[2])
        home = path.split(".experts.")[0]
        experts, outputs, inputs = weight.shape
        names = ("gate_proj", "up_proj") if path.endswith("gate_up_proj") else ("down_proj",)
        rows = outputs // len(names)
        for part, name in enumerate(names):
            a, b = _matrix(random, experts, rank, inputs, spread=inputs**-0.5), _matrix(random, experts, rows, rank, spread=0.02)
            tensors |= {f"{home}.switch_mlp.{name}.lora_a": a, f"{home}.switch_mlp.{name}.lora_b": b}
            updates += [(layer, path, e, part * rows, scale * (b[e] @ a[e])) for e in range(experts)]
    config = {"fine_tune_type": "lora", "lora_parameters": {"dropout": 0.0, "rank": rank, "scale": scale}, "model": "tiny", "num_layers": architecture.layers}
    _write("mlx-experts", architecture, "families/qwen3_moe", config, "adapters.safetensors", tensors, updates)


def experts_one_by_one() -> None:
    """Mixtral's experts as modules of transformers 4, of different ranks, one of them without an adapter."""
    architecture = FAMILIES["mixtral"]
    random = _random("experts-one-by-one")
    tensors: dict[str, np.ndarray] = {}
    updates: list[Update] = []
    ranks = {0: 4, 1: 2, 3: 1}
    for path, weight in make_model(architecture).named_parameters():
        if ".experts." not in path:
            continue
        layer = int(path.split(".")[2])
        home = f"model.layers.{layer}.block_sparse_moe.experts"
        _, outputs, inputs = weight.shape
        names = ("w1", "w3") if path.endswith("gate_up_proj") else ("w2",)
        rows = outputs // len(names)
        for expert, rank in ranks.items():
            for part, name in enumerate(names):
                a, b = _matrix(random, rank, inputs, spread=inputs**-0.5), _matrix(random, rows, rank, spread=0.1)
                prefix = f"base_model.model.{home}.{expert}.{name}"
                tensors |= {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}
                updates.append((layer, path, expert, part * rows, 8 / rank * (b @ a)))
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["w1", "w2", "w3"],
        "rank_pattern": {rf".*experts\.{expert}\..*": rank for expert, rank in ranks.items() if rank != 4},
    }
    _write("experts-one-by-one", architecture, "families/mixtral", config, "adapter_model.safetensors", tensors, updates)


def experts_old_peft() -> None:
    """target_parameters as PEFT 0.17 saved them: there the model's [out, in] is called (in, out), so that A and B change places."""
    architecture = FAMILIES["qwen3_moe"]
    random = _random("experts-old-peft")
    rank = 2
    tensors: dict[str, np.ndarray] = {}
    updates: list[Update] = []
    for path, weight in make_model(architecture).named_parameters():
        if ".experts." not in path:
            continue
        home = path.split(".experts.")[0] + ".experts"
        experts, first, second = weight.shape
        a, b = _matrix(random, experts * rank, first, spread=0.1), _matrix(random, second, rank * experts, spread=0.2)
        # Source: ParamWrapper.get_delta_weight of PEFT 0.17.
        delta = 4.0 * np.einsum("o r e, e r i -> e i o", b.reshape(second, rank, experts), a.reshape(experts, rank, first))
        prefix = f"base_model.model.{home}" + (".base_layer" if path.endswith("gate_up_proj") else "")
        tensors |= {f"{prefix}.lora_A.weight": a, f"{prefix}.lora_B.weight": b}
        updates += [(int(path.split(".")[2]), path, e, 0, delta[e].astype(np.float32)) for e in range(experts)]
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 8, "target_modules": [],
        "target_parameters": ["mlp.experts.down_proj", "mlp.experts.gate_up_proj"],
    }
    _write("experts-old-peft", architecture, "families/qwen3_moe", config, "adapter_model.safetensors", tensors, updates)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for make in (mlx, mlx_experts, experts_one_by_one, experts_old_peft):
        make()
