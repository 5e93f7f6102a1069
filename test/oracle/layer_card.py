"""What transformers and PEFT compute for a layer card: energies of the linear modules, and projected residual norms by autograd, as plain JSON numbers."""

import json
import warnings
from typing import Any

import torch
from expected import MaskedAdapter, lora_layers, prompts_of
from make_fixtures import FIXTURES, _as_rows
from tiny_models import ARCHITECTURES, Architecture, make_model

#: Tokens of a prompt; those behind are its reference.
PROMPT_TOKENS = 9
#: Share of the mean eigenvalue that is added to a second moment.
RIDGE = 1e-3


def _short(value: float) -> float:
    return float(f"{value:.7g}")


@torch.no_grad()
def energies_of(architecture: Architecture) -> list[dict[str, Any]]:
    """Sums over all tokens of the prompts, under the full adapter."""
    adapter = MaskedAdapter(architecture, FIXTURES / architecture.name / "plain")
    rows: dict[tuple[int, str], list[float]] = {}
    hooks = []
    for (layer, module), lora in lora_layers(adapter.model).items():

        def seen(lora: Any, inputs: tuple[torch.Tensor, ...], _: Any, site: tuple[int, str] = (layer, module)) -> None:
            x = inputs[0].double()
            product = x @ lora.base_layer.weight.double().T
            a, b = lora.lora_A["default"].weight.double(), lora.lora_B["default"].weight.double()
            update = lora.scaling["default"] * (x @ a.T) @ b.T
            sums = rows.setdefault(site, [0.0, 0.0, 0.0])
            for i, tensor in enumerate((x, product, update)):
                sums[i] += float((tensor**2).sum())

        hooks.append(lora.register_forward_hook(seen))
    for prompt in adapter.prompts:
        adapter.model(input_ids=torch.tensor([prompt]))
    for hook in hooks:
        hook.remove()
    return [
        {"layer": layer, "module": module, "input": _short(x), "output": _short(wx), "update": _short(bax)}
        for (layer, module), (x, wx, bax) in rows.items()
    ]


def residual_norms(architecture: Architecture) -> dict[str, Any]:
    """||G (S + ridge)^(-1/2)||_F of every linear module of the base: G the gradient of the loss by W, S the mean of x x' over all tokens.

    The loss is the mean over the prompts of the reference's negative log-likelihood per token."""
    model = make_model(architecture)
    prompts = prompts_of(architecture)
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and "layers" in name.split(".")
    }
    inputs: dict[str, list[torch.Tensor]] = {name: [] for name in linear}
    for name, module in linear.items():
        module.register_forward_pre_hook(lambda _, args, own=inputs[name]: own.append(args[0].detach()[0].double()))
    loss = torch.zeros(())
    for prompt in prompts:
        logits = model(input_ids=torch.tensor([prompt[:-1]])).logits[0, PROMPT_TOKENS - 1 :]
        loss = loss + torch.nn.functional.cross_entropy(logits.float(), torch.tensor(prompt[PROMPT_TOKENS:])) / len(prompts)
    loss.backward()
    modules = []
    for name, module in linear.items():
        x = torch.cat(inputs[name])
        moment = x.T @ x / len(x)
        moment += RIDGE * moment.trace() / len(moment) * torch.eye(len(moment), dtype=torch.double)
        gradient = module.weight.grad.double()
        squared = float((gradient @ torch.linalg.solve(moment, gradient.T)).trace())
        parts = name.split(".")
        modules.append({"layer": int(parts[parts.index("layers") + 1]), "module": parts[-1], "norm": _short(squared**0.5)})
    layers = architecture.config.num_hidden_layers
    norms = [sum(m["norm"] ** 2 for m in modules if m["layer"] == layer) ** 0.5 for layer in range(layers)]
    return {"loss": _short(float(loss)), "ridge": RIDGE, "modules": modules, "layers": [_short(norm) for norm in norms]}


def card_of(architecture: Architecture) -> dict[str, Any]:
    return {
        "prompts": prompts_of(architecture),
        "promptTokens": PROMPT_TOKENS,
        "energies": energies_of(architecture),
        "residual": residual_norms(architecture),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, architecture in ARCHITECTURES.items():
        (FIXTURES / name / "plain" / "card.json").write_text(_as_rows(card_of(architecture)) + "\n")
        print(name)


if __name__ == "__main__":
    main()
