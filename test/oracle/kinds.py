"""Adapters of other kinds than plain LoRA, made and saved by PEFT on the tiny llama, and what PEFT computes with their lower layers."""

import argparse
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from adapters import save_adapter
from expected import log_probabilities, prompts_of, site_of
from make_fixtures import _as_rows
from peft import AdaLoraConfig, LoHaConfig, LoKrConfig, LoraConfig, PeftConfig, PeftModel, VeraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from tiny_models import ARCHITECTURES, GATED_MLP, SPLIT_ATTENTION, Architecture, generator_of, make_model

HOME = Path(__file__).parent / "kinds"
LINEAR = [*SPLIT_ATTENTION, *GATED_MLP]
LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM", "target_modules": LINEAR}

#: By name: those that are read as LoRA, and those that only a merge takes.
READ_AS_LORA: dict[str, PeftConfig] = {
    "adalora": AdaLoraConfig(target_modules=LINEAR, init_r=6, target_r=4, total_step=10, lora_alpha=12),
    "adalora-masked": AdaLoraConfig(target_modules=LINEAR, init_r=6, target_r=4, total_step=10, lora_alpha=12),
    "vera": VeraConfig(target_modules=LINEAR, r=8),
    "loha": LoHaConfig(target_modules=LINEAR, r=2, alpha=6),
    "lokr": LoKrConfig(target_modules=LINEAR, r=4, alpha=8),
    "lokr-decomposed": LoKrConfig(target_modules=LINEAR, r=2, alpha=4, decompose_both=True, decompose_factor=8),
}
MERGED: dict[str, PeftConfig] = {
    "dora": LoraConfig(**LORA, use_dora=True),
    "dora-rslora": LoraConfig(**LORA, use_dora=True, use_rslora=True),
    "modules-to-save": LoraConfig(**LORA, modules_to_save=["lm_head", "embed_tokens", "input_layernorm", "norm"]),
    "trained-tokens": LoraConfig(**LORA, trainable_token_indices=[3, 65, 101]),
}
#: Kept ranks of AdaLoRA once training is over.
MASK = [True, False, True, True, False, True]


def _randomise(model: PeftModel, name: str) -> None:
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if not parameter.requires_grad and "ranknum" not in path:
                continue
            if "ranknum" in path:
                continue
            random = torch.randn(parameter.shape, generator=generator_of("kinds", name, path))
            if "magnitude" in path or "modules_to_save" in path or "trainable_tokens" in path:
                parameter.mul_(1 + 0.2 * random)
            elif "vera_lambda" in path:
                parameter.copy_(0.3 * random)
            elif "lora_B" in path:
                parameter.copy_(0.06 * random)
            elif "lora_E" in path:
                parameter.copy_(random)
            elif "lokr" in path or "hada" in path:
                parameter.copy_(0.15 * random if "w1" in path else 0.3 * random)
            else:
                parameter.copy_(random / parameter.shape[-1] ** 0.5)


@torch.no_grad()
def _boundaries(architecture: Architecture, folder: Path) -> list[list[list[float]]]:
    """[K][prompt][token id]: layers from K on without their adapter, the embedding as layer 0 and the head as the last layer."""
    model = PeftModel.from_pretrained(make_model(architecture), str(folder)).eval()
    prompts, layers = prompts_of(architecture), architecture.layers
    wrapped = [(name, module) for name, module in model.named_modules() if isinstance(module, (BaseTunerLayer, AuxiliaryTrainingWrapper))]

    def layer_of(name: str) -> int:
        layer, _ = site_of(name)
        return layer if layer is not None else 0 if "embed_tokens" in name else layers - 1

    rows = []
    for boundary in range(layers + 1):
        for name, module in wrapped:
            module._disable_adapters = layer_of(name) >= boundary
        rows.append(log_probabilities(model, prompts))
    return rows


def make(name: str, config: PeftConfig) -> None:
    architecture = ARCHITECTURES["llama"]
    folder = HOME / name
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(make_model(architecture), config)
    _randomise(model, name)
    if name == "adalora-masked":
        config.rank_pattern = {
            path.removeprefix("base_model.model.").replace("lora_E.default", "lora_E"): MASK
            for path, _ in model.named_parameters()
            if "lora_E" in path
        }
    save_adapter(model, folder)
    boundaries = _boundaries(architecture, folder)
    moved = max(abs(a - b) for row, other in zip(boundaries[0], boundaries[-1]) for a, b in zip(row, other))
    print(f"{name}: moves log-probabilities by {moved:.3g}")
    expected = {"layers": architecture.layers, "prompts": prompts_of(architecture), "boundaries": boundaries}
    (folder / "expected.json").write_text(_as_rows(expected) + "\n")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name, config in (READ_AS_LORA | MERGED).items():
        make(name, config)
    # The same weights as torch.save writes them.
    pickled = HOME / "pickled"
    shutil.rmtree(pickled, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "fixtures/llama/plain", pickled)
    from safetensors.torch import load_file

    torch.save(load_file(pickled / "adapter_model.safetensors"), pickled / "adapter_model.bin")
    (pickled / "adapter_model.safetensors").unlink()
    expected = json.loads((pickled / "expected.json").read_text())
    (pickled / "expected.json").write_text(_as_rows({key: expected[key] for key in ("layers", "prompts", "boundaries")}) + "\n")


if __name__ == "__main__":
    main()
