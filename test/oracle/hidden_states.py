"""What transformers and PEFT compute inside: hidden states of the last token before, between and after the layers, as plain JSON numbers."""

import json
import warnings
from typing import Any

import torch
from expected import MaskedAdapter, _boundary_sites
from make_fixtures import FIXTURES, _as_rows
from tiny_models import ARCHITECTURES, Architecture


def _rounded(row: torch.Tensor) -> list[float]:
    return [float(f"{x:.7g}") for x in row.tolist()]


@torch.no_grad()
def states_of(adapter: MaskedAdapter, layers: int) -> list[list[list[float]]]:
    """[prompt][state][hidden]: the embedding, every layer's output, and what the final norm makes of the last.

    `output_hidden_states` has the normed one in the place of the last layer's output, so that is taken from the norm's input."""
    before_norm: list[torch.Tensor] = []
    network = adapter.model.get_base_model().model
    norm = network.norm if hasattr(network, "norm") else network.final_layernorm
    hook = norm.register_forward_pre_hook(lambda _, inputs: before_norm.append(inputs[0]))
    found = []
    for prompt in adapter.prompts:
        before_norm.clear()
        states = adapter.model(input_ids=torch.tensor([prompt]), output_hidden_states=True).hidden_states
        if len(states) != layers + 1:
            raise RuntimeError(f"{len(states)} hidden states, {layers + 1} expected")
        rows = [*states[:-1], before_norm[-1], states[-1]]
        found.append([_rounded(row[0, -1]) for row in rows])
    hook.remove()
    return found


def hidden_of(architecture: Architecture) -> dict[str, Any]:
    adapter = MaskedAdapter(architecture, FIXTURES / architecture.name / "plain")
    layers = architecture.config.num_hidden_layers
    boundaries = {}
    for boundary in (0, layers // 2, layers):
        adapter.with_only(_boundary_sites(list(adapter.layers), boundary, layers))
        boundaries[str(boundary)] = states_of(adapter, layers)
    return {"layers": layers, "prompts": adapter.prompts, "boundaries": boundaries}


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, architecture in ARCHITECTURES.items():
        (FIXTURES / name / "plain" / "hidden.json").write_text(_as_rows(hidden_of(architecture)) + "\n")
        print(name)


if __name__ == "__main__":
    main()
