"""Holds boundary's converted adapters against those of llama.cpp's convert_lora_to_gguf.py: equal bit for bit, another adapter (and how far
off it computes), or none. Writes converter.json, from which docs/adapters.md has its columns. Run after `npm run build`."""

import argparse
import hashlib
import json
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader
from tiny_models import ARCHITECTURES, FAMILIES, Architecture
from tiny_tokenizer import write_tokenizer
from upstream import convert_adapter

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def _config_folder(architecture: Architecture, scratch: Path) -> Path:
    folder = scratch / architecture.name
    architecture.config.save_pretrained(str(folder))
    config = json.loads((folder / "config.json").read_text())
    # The class of the network, as a checkpoint has it.
    names = {"Gemma3Config": "Gemma3ForConditionalGeneration"}
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as VISION

    kind = architecture.config.model_type
    default = VISION.get(kind) if hasattr(architecture.config, "vision_config") else MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    config["architectures"] = [names.get(type(architecture.config).__name__, default)]
    (folder / "config.json").write_text(json.dumps(config | architecture.released))
    write_tokenizer(folder)
    return folder


def _tensors(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: np.asarray(tensor.data) for tensor in GGUFReader(str(path)).tensors}


def _digest(tensors: dict[str, np.ndarray]) -> str:
    """Over the names and bytes of all tensors, by their names."""
    whole = hashlib.sha256()
    for name, data in sorted(tensors.items()):
        whole.update(name.encode())
        whole.update(np.ascontiguousarray(data).tobytes())
    return whole.hexdigest()


def _measured(base: Path, adapter: Path, expected: Path) -> float:
    """Nats."""
    done = subprocess.run(["node", str(HERE / "measure_gguf.mjs"), str(base), str(adapter), str(expected)], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def compare(architecture: Architecture, home: Path, adapter: Path, llama_cpp: Path, scratch: Path) -> dict[str, Any] | None:
    ours, theirs = scratch / "ours.gguf", scratch / "theirs.gguf"
    for path in (ours, theirs):
        path.unlink(missing_ok=True)
    command = ["node", str(ROOT / "dist/cli/main.js"), "convert", str(adapter), "-m", str(home / "base.gguf"), "-o", str(ours), "--no-check", "--force"]
    subprocess.run(command, capture_output=True, check=True)
    try:
        convert_adapter(llama_cpp, _config_folder(architecture, scratch), adapter, theirs)
    except RuntimeError as error:
        # The tiny tokenizer is none that this converter knows: that says nothing of the adapter.
        if "pre-tokenizer" in str(error):
            return None
        return {"fails": str(error).strip().splitlines()[-1][:160]}
    own, other = _tensors(ours), _tensors(theirs)
    same = [name for name in own if name in other and own[name].shape == other[name].shape and np.array_equal(own[name], other[name])]
    if len(same) == len(own) == len(other):
        return {"equal": len(own), "sha256": _digest(other)}
    try:
        nats = _measured(home / "base.gguf", theirs, adapter / "expected.json")
    except subprocess.CalledProcessError:
        return {"refused by llama.cpp": sorted(set(other) - set(own))[:2] or len(own) - len(same)}
    return {"differs": len(own) - len(same), "of": len(own), "nats": float(f"{nats:.2g}")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for place, architectures in (("fixtures", ARCHITECTURES), ("families", FAMILIES)):
            for name, architecture in architectures.items():
                if arguments.only and name not in arguments.only:
                    continue
                home = HERE / place / name
                for adapter in ("plain", "experts"):
                    if not (home / adapter / "expected.json").exists():
                        continue
                    found = compare(architecture, home, home / adapter, arguments.llama_cpp, Path(scratch))
                    if found is not None:
                        results[f"{name}/{adapter}"] = found
                    print(f"{name}/{adapter}: {found}", flush=True)
    if not arguments.only:
        (HERE / "converter.json").write_text("{\n" + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(results.items())) + "\n}\n")


if __name__ == "__main__":
    main()
