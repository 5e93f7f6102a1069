"""What PEFT computes: next-token log-probabilities for the base, for every boundary and for some masks, as plain JSON numbers."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from tiny_models import Architecture, generator_of, make_model, seed_of

PROMPT_COUNT = 2
PROMPT_TOKENS = 12
#: A module of the adapter: (layer, module name). Layer None is outside the blocks: embed_tokens, lm_head.
Site = tuple[int | None, str]


def prompts_of(architecture: Architecture) -> list[list[int]]:
    """Token ids below the special ones, the same for every adapter of an architecture."""
    random = generator_of(architecture.name, "prompts")
    return torch.randint(0, 256, (PROMPT_COUNT, PROMPT_TOKENS), generator=random).tolist()


def site_of(module_path: str) -> Site:
    """`base_model.model.model.layers.2.self_attn.q_proj` -> (2, "q_proj")."""
    parts = module_path.split(".")
    number = next((part for part in parts if part.isdigit()), None)
    # GPT-2 has two modules of that name in a block.
    return (None if number is None else int(number)), ".".join(parts[-2:]) if parts[-1] == "c_proj" else parts[-1]


def lora_layers(model: PeftModel) -> dict[Site, LoraLayer]:
    return {site_of(name): module for name, module in model.named_modules() if isinstance(module, LoraLayer)}


def _b_of(layer: LoraLayer) -> torch.Tensor:
    if "default" in layer.lora_B:
        return layer.lora_B["default"].weight
    return layer.lora_embedding_B["default"]


def _boundary_sites(sites: list[Site], boundary: int, layers: int) -> list[Site]:
    """The embedding lies below layer 0 and goes with it; the head lies above the last layer and goes with that."""

    def kept(site: Site) -> bool:
        layer, module = site
        if layer is None:
            return boundary == layers if module == "lm_head" else boundary >= 1
        return layer < boundary

    return [site for site in sites if kept(site)]


def _masks(architecture: Architecture, sites: list[Site], name: str) -> dict[str, list[Site]]:
    random = generator_of(architecture.name, "mask", name)
    coin = torch.rand(len(sites), generator=random) < 0.5
    attention = {"q_proj", "k_proj", "v_proj", "qkv_proj"}
    return {
        "attention inputs of odd layers": [s for s in sites if s[0] is not None and s[0] % 2 == 1 and s[1] in attention],
        "all but layer 0": [s for s in sites if s[0] != 0],
        "coin toss a module": [s for s, heads in zip(sites, coin.tolist()) if heads],
    }


@torch.no_grad()
def log_probabilities(model: torch.nn.Module, prompts: list[list[int]]) -> list[list[float]]:
    """[prompt][token id], at the last position; float32 arithmetic, 7 significant digits."""
    rows = []
    for prompt in prompts:
        logits = model(input_ids=torch.tensor([prompt])).logits[0, -1]
        rows.append([float(f"{x:.7g}") for x in torch.log_softmax(logits.float(), -1).tolist()])
    return rows


def largest_difference(one: list[list[float]], other: list[list[float]]) -> float:
    return max(abs(a - b) for row, row2 in zip(one, other) for a, b in zip(row, row2))


class MaskedAdapter:
    """A PEFT model whose modules can be dropped by setting their B to zero."""

    def __init__(self, architecture: Architecture, folder: Path):
        self.prompts = prompts_of(architecture)
        base = make_model(architecture)
        self.base = log_probabilities(base, self.prompts)
        self.model = PeftModel.from_pretrained(base, str(folder)).eval()
        self.layers = lora_layers(self.model)
        self.trained = {site: _b_of(layer).detach().clone() for site, layer in self.layers.items()}

    def scales(self) -> list[dict[str, Any]]:
        """The scale PEFT itself applies to each module."""
        return [
            {"layer": layer, "module": module, "rank": lora.r["default"], "scale": lora.scaling["default"]}
            for (layer, module), lora in self.layers.items()
        ]

    @torch.no_grad()
    def with_only(self, kept: list[Site]) -> list[list[float]]:
        """The log-probabilities with the other modules dropped."""
        for site, layer in self.layers.items():
            _b_of(layer).copy_(self.trained[site] if site in kept else torch.zeros_like(self.trained[site]))
        return log_probabilities(self.model, self.prompts)


def expected_of(architecture: Architecture, folder: Path, name: str) -> dict[str, Any]:
    """The whole of expected.json for one PEFT folder."""
    adapter = MaskedAdapter(architecture, folder)
    layers = architecture.layers
    sites = list(adapter.layers)
    boundaries = [adapter.with_only(_boundary_sites(sites, k, layers)) for k in range(layers + 1)]
    moved = largest_difference(adapter.base, boundaries[-1])
    if boundaries[0] != adapter.base:
        raise RuntimeError(f"{folder}: K=0 is not the base")
    if moved < 0.1:
        raise RuntimeError(f"{folder}: the adapter moves log-probabilities by {moved} only, 0.1 is wanted")
    masks = [
        {
            "name": title,
            "kept": [{"layer": layer, "module": module} for layer, module in kept],
            "logprobs": adapter.with_only(kept),
        }
        for title, kept in _masks(architecture, sites, name).items()
        if architecture.is_whole
    ]
    return {
        "architecture": architecture.name,
        "adapter": name,
        "layers": layers,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package).split("+")[0] for package in ("torch", "transformers", "peft")},
        },
        "seeds": {"base": seed_of(architecture.name, "base"), "adapter": seed_of(architecture.name, name)},
        "moved": float(f"{moved:.4g}"),
        "prompts": adapter.prompts,
        "modules": adapter.scales(),
        "base": adapter.base,
        "boundaries": boundaries,
        "masks": masks,
    }
