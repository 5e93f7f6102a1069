"""What PEFT answers: greedy continuations under every boundary and mask, as far as the first token is much more probable than the second."""

import json
import warnings

import torch
from expected import MaskedAdapter, Site, _boundary_sites
from make_fixtures import FIXTURES, _as_rows, _is_variant
from tiny_models import ARCHITECTURES, Architecture

#: Tokens of an answer.
MOST_TOKENS = 6
#: In nats. An answer ends before a token that is not more probable than the next best by this much: rounding may decide there.
LEAST_GAP = 0.1
#: Ids from here on are special tokens, at which an answer may end.
SPECIAL = 256
#: How many answers are decoded side by side.
PROMPTS = 16


def prompts_from(recorded: list[list[int]]) -> list[list[int]]:
    """The recorded prompts and shorter beginnings of them, all different."""
    return [prompt[: len(prompt) - cut] for cut in range(PROMPTS // len(recorded)) for prompt in recorded]


@torch.no_grad()
def answers(adapter: MaskedAdapter, kept: list[Site], prompts: list[list[int]]) -> list[list[int]]:
    adapter.with_only(kept)
    found = []
    for prompt in prompts:
        said: list[int] = []
        while len(said) < MOST_TOKENS:
            logits = adapter.model(input_ids=torch.tensor([prompt + said])).logits[0, -1].float()
            (first, second), (token, _) = torch.topk(logits, 2)
            if first - second < LEAST_GAP or token >= SPECIAL:
                break
            said.append(int(token))
        found.append(said)
    return found


def greedy_of(architecture: Architecture, name: str) -> dict[str, object]:
    folder = FIXTURES / architecture.name / name
    expected = json.loads((folder / "expected.json").read_text())
    source = "plain" if _is_variant(name) else name
    adapter = MaskedAdapter(architecture, FIXTURES / architecture.name / source)
    layers = architecture.layers
    sites = list(adapter.layers)
    prompts = prompts_from(adapter.prompts)
    if adapter.with_only(sites) != expected["boundaries"][-1]:
        raise RuntimeError(f"{folder}: PEFT computes other numbers than those recorded")
    kept_by_mask = [[(one["layer"], one["module"]) for one in mask["kept"]] for mask in expected["masks"]]
    return {
        "prompts": prompts,
        "boundaries": [answers(adapter, _boundary_sites(sites, k, layers), prompts) for k in range(layers + 1)],
        "masks": [answers(adapter, kept, prompts) for kept in kept_by_mask],
    }


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, architecture in ARCHITECTURES.items():
        for expected in sorted((FIXTURES / name).glob("*/expected.json")):
            greedy = greedy_of(architecture, expected.parent.name)
            (expected.parent / "greedy.json").write_text(_as_rows(greedy) + "\n")
            sure = [len(answer) for answers_of in greedy["boundaries"] for answer in answers_of]
            print(f"{name}/{expected.parent.name}: {sum(sure) / len(sure):.1f} tokens an answer")


if __name__ == "__main__":
    main()
