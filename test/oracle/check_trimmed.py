"""Loads every trimmed PEFT folder with PEFT itself and compares it with what PEFT computed when those modules were dropped."""

import json
import subprocess
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import torch
from expected import largest_difference, log_probabilities, lora_layers, prompts_of
from peft import PeftModel
from tiny_models import ARCHITECTURES, Architecture, make_model

HERE = Path(__file__).parent
#: Nats. Both sides are PEFT in float32 with equal tensors; what is left is the rounding to 7 digits in expected.json.
TOLERANCE = 1e-5


def difference_to(architecture: Architecture, folder: str, wanted: list[list[float]]) -> tuple[float, int]:
    """Largest difference in nats of PEFT's log-probabilities with this folder, and the number of modules PEFT put in place."""
    model = PeftModel.from_pretrained(make_model(architecture), folder).eval()
    return largest_difference(log_probabilities(model, prompts_of(architecture)), wanted), len(lora_layers(model))


def is_read_by_peft(architecture: Architecture, folder: Path, wanted: list[list[float]]) -> bool:
    """Some name variants are for other model classes or older PEFT versions: PEFT reads not even the untrimmed folder then."""
    try:
        return difference_to(architecture, str(folder), wanted)[0] <= TOLERANCE
    except (ValueError, OSError):
        return False


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    worst: dict[str, float] = defaultdict(float)
    readable: dict[str, bool] = {}
    failures = []
    checked = 0
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["node", str(HERE / "trim_all.mjs"), scratch], check=True)
        entries = json.loads((Path(scratch) / "index.json").read_text())
        for entry in entries:
            architecture = ARCHITECTURES[entry["architecture"]]
            name = f"{entry['architecture']}/{entry['adapter']}"
            source = HERE / "fixtures" / entry["architecture"] / entry["adapter"]
            expected = json.loads((source / "expected.json").read_text())
            if name not in readable:
                readable[name] = is_read_by_peft(architecture, source, expected["boundaries"][-1])
            if not readable[name]:
                continue
            checked += 1
            wanted = expected["boundaries"][entry["boundary"]] if "boundary" in entry else expected["masks"][entry["mask"]]["logprobs"]
            difference, modules = difference_to(architecture, entry["folder"], wanted)
            worst[name] = max(worst[name], difference)
            if difference > TOLERANCE or modules != entry["kept"]:
                failures.append(f"{name}, {entry['title']}: {difference:.2g} nats; PEFT sees {modules} modules of {entry['kept']}")
    for name, difference in worst.items():
        print(f"{name}: worst {difference:.2g} nats")
    for failure in failures:
        print(f"FAILED {failure}")
    for name in (name for name, can in readable.items() if not can):
        print(f"{name}: left out, PEFT does not read the untrimmed folder into this model class")
    print(f"{checked} folders, {len(failures)} failures")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
