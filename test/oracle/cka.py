"""What the published code computes: its own `linear_cka` on made-up activations, as plain JSON numbers.

    python cka.py --repository CLONE-OF-c2d-usp/Layer-wise-LoRA-with-CKA > ../probe/fixtures/cka.json
"""

import argparse
import ast
import json
from pathlib import Path
from typing import Callable

import torch

#: samples, features of the one, features of the other; how much of the one is in the other
SHAPES = ((12, 5, 5, 0.9), (12, 5, 7, 0.3), (40, 64, 64, 0.99), (40, 64, 64, 0.0), (6, 96, 96, 0.5), (3, 2, 2, 1.0))


def published_function(repository: Path) -> Callable[[torch.Tensor, torch.Tensor], float]:
    """`linear_cka` of select_layers_decoder.py, without the file's other imports."""
    tree = ast.parse((repository / "decoder-only" / "select_layers_decoder.py").read_text())
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "linear_cka")
    names: dict[str, object] = {"torch": torch}
    exec(compile(ast.Module([function], []), "select_layers_decoder.py", "exec"), names)
    return names["linear_cka"]  # type: ignore[return-value]


def rows(values: torch.Tensor) -> list[float]:
    return [float(f"{x:.7g}") for x in values.flatten().tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    linear_cka = published_function(parser.parse_args().repository)
    random = torch.Generator().manual_seed(20)
    cases = []
    for samples, width, other, share in SHAPES:
        x = torch.randn(samples, width, generator=random) * 3 + 1
        noise = torch.randn(samples, other, generator=random)
        mixed = x @ torch.randn(width, other, generator=random) / width**0.5
        y = share * mixed + (1 - share) * noise
        # Rounded first, so that both sides see the same numbers.
        xs, ys = rows(x), rows(y)
        value = linear_cka(torch.tensor(xs).reshape(samples, width), torch.tensor(ys).reshape(samples, other))
        cases.append({"samples": samples, "x": xs, "y": ys, "cka": value})
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
