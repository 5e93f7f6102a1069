"""What the published script reads and computes: its own functions on the tiny llama of the fixtures, as plain JSON numbers.

    python cka_positions.py --repository CLONE-OF-c2d-usp/Layer-wise-LoRA-with-CKA > ../probe/fixtures/cka-published.json
"""

import argparse
import ast
import json
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import torch
from tiny_models import ARCHITECTURES, make_model
from tiny_tokenizer import write_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

#: all that `main` calls, and what these need
WANTED = {
    "PROMPT",
    "IGNORE_INDEX",
    "_tokenize_fn",
    "preprocess",
    "train_tokenize_function",
    "extract_representations_from_autoregressive_model",
    "linear_cka",
    "sort_layers_by_cka",
}
THINGS = ["otter", "lamp", "river", "clock", "meadow", "violin", "comet", "ladder", "copper", "window"]
#: ends that differ, so that the last token of the response does
ENDS = [".", "!", "", " now", "?"]


def published(repository: Path) -> dict[str, Any]:
    """The script's functions, without its imports of datasets and its `main`."""
    tree = ast.parse((repository / "decoder-only" / "select_layers_decoder.py").read_text())
    names: dict[str, Any] = {"torch": torch, "deepcopy": deepcopy, "Dict": Dict, "Sequence": Sequence, "Tuple": Tuple}
    names |= {"PreTrainedTokenizer": PreTrainedTokenizerFast, "AutoModelForCausalLM": torch.nn.Module, "AutoTokenizer": object}
    for node in tree.body:
        name = node.targets[0].id if isinstance(node, ast.Assign) else getattr(node, "name", None)
        if name in WANTED:
            exec(compile(ast.Module([node], []), "select_layers_decoder.py", "exec"), names)
    return names


class Examples(list[dict[str, list[int]]]):
    """A slice of it is a dictionary of lists, as one of the `datasets` package is."""

    def __getitem__(self, key: Any) -> Any:
        rows = super().__getitem__(key)
        return {name: [row[name] for row in rows] for name in rows[0]} if isinstance(key, slice) else rows


def samples() -> list[dict[str, str]]:
    return [
        {"instruction": f"Where is {thing} {i}?", "output": f"By the {THINGS[(i * 3 + 1) % 10]}{ENDS[i % 5]}"}
        for i, thing in enumerate(THINGS * 2)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True)
    script = published(parser.parse_args().repository)
    torch.set_num_threads(1)
    model = make_model(ARCHITECTURES["llama"]).float().eval()
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(Path(folder))
        tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=512, padding_side="right", use_fast=True)
    tokenizer.pad_token = tokenizer.eos_token
    rows = samples()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    tokenized = script["train_tokenize_function"](columns, tokenizer, "instruction", "output")
    examples = Examples(
        {"input_ids": ids.tolist(), "labels": labels.tolist()}
        for ids, labels in zip(tokenized["input_ids"], tokenized["labels"])
    )
    layers = len(model.model.layers)
    features = script["extract_representations_from_autoregressive_model"](
        model, tokenizer, examples, torch.device("cpu"), batch_size=2, layers_to_extract=list(range(layers + 1))
    )
    cka = [script["linear_cka"](features[i], features[i + 1]) for i in range(layers)]
    # The script keeps no positions: they are found again by what it read there.
    positions = []
    with torch.no_grad():
        for i, row in enumerate(examples):
            states = model(input_ids=torch.tensor([row["input_ids"]]), output_hidden_states=True).hidden_states
            distances = (states[2][0] - features[2][i]).abs().amax(dim=1)
            positions.append(int(distances.argmin()))
    result = {
        "prompt": script["PROMPT"],
        "samples": rows,
        "tokens": [row["input_ids"] for row in examples],
        "positions": positions,
        "cka": cka,
        "order": script["sort_layers_by_cka"](cka),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
