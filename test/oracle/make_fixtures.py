"""Makes every fixture under fixtures/: tiny random bases as GGUF, adapters as PEFT saves them, and what PEFT computes with them."""

import argparse
import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from adapters import (
    EMBED_AND_HEAD,
    LLAMA_ADAPTERS,
    OTHERS_EMBED_AND_HEAD,
    make_adapter,
    make_without_copies,
    reorder_patterns,
    retype,
)
from expected import expected_of
from name_variants import GEMMA3_RENAMES, RENAMES, rename, shard
from refused import make_refused
from tiny_models import ARCHITECTURES, FAMILIES, Architecture, make_model
from tiny_tokenizer import write_tokenizer
from upstream import RELEASED, convert_adapter, convert_base

FIXTURES = Path(__file__).parent / "fixtures"
EVERYTHING = ARCHITECTURES | FAMILIES
#: Adapters that llama.cpp's converter scales wrongly: its output is kept to measure the error.
WRONG_UPSTREAM = ("rslora", "alpha-pattern")


def _write_base(architecture: Architecture, folder: Path, llama_cpp: Path, scratch: Path) -> None:
    model_folder = scratch / architecture.base_name
    make_model(architecture).save_pretrained(str(model_folder))
    write_tokenizer(model_folder)
    (model_folder / RELEASED).write_text(json.dumps(architecture.released))
    if architecture.reads_config:
        config = json.loads((model_folder / "config.json").read_text()) | architecture.released
        (model_folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    convert_base(llama_cpp, model_folder, folder / "base.gguf", architecture.flags)
    if not architecture.is_whole:
        return
    config = json.loads((model_folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _write_adapters(architecture: Architecture, folder: Path) -> None:
    plain = folder / "plain"
    make_adapter(architecture, "plain", plain, {"target_modules": architecture.linear if isinstance(architecture.linear, str) else list(architecture.linear)})
    if architecture.experts:
        make_adapter(architecture, "experts", folder / "experts", {"target_modules": ["q_proj"], "target_parameters": list(architecture.experts)})
    if architecture.name == "gemma3":
        for name, change in GEMMA3_RENAMES.items():
            rename(plain, folder / name, change)
    if architecture.name in OTHERS_EMBED_AND_HEAD:
        make_without_copies(architecture, "embed-and-head", folder / "embed-and-head", OTHERS_EMBED_AND_HEAD[architecture.name])
    if architecture.name != "llama":
        return
    for name, options in EMBED_AND_HEAD.items():
        make_without_copies(architecture, name, folder / name, options)
    for name, options in LLAMA_ADAPTERS.items():
        make_adapter(architecture, name, folder / name, options)
    reorder_patterns(folder / "alpha-pattern", folder / "alpha-pattern-reversed")
    retype(plain, folder / "bf16", torch.bfloat16)
    retype(plain, folder / "f16", torch.float16)
    for name, change in RENAMES.items():
        rename(plain, folder / name, change)
    shard(plain, folder / "sharded")


def _as_rows(value: Any, indent: str = "") -> str:
    """JSON with every list of numbers and every small object on one line."""
    if isinstance(value, dict) and any(isinstance(item, (dict, list)) for item in value.values()):
        inner = ",\n".join(f"{indent}  {json.dumps(key)}: {_as_rows(item, indent + '  ')}" for key, item in value.items())
        return f"{{\n{inner}\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        inner = ",\n".join(f"{indent}  {_as_rows(item, indent + '  ')}" for item in value)
        return f"[\n{inner}\n{indent}]"
    return json.dumps(value)


def _is_variant(name: str) -> bool:
    """A variant holds the tensors of `plain`, whose values are its values."""
    return name == "sharded" or name in RENAMES or name in GEMMA3_RENAMES


def _write_expected(architecture: Architecture, folder: Path) -> None:
    for config in sorted(folder.glob("*/adapter_config.json")):
        adapter = config.parent
        source = folder / "plain" if _is_variant(adapter.name) else adapter
        expected = expected_of(architecture, source, source.name) | {"adapter": adapter.name}
        (adapter / "expected.json").write_text(_as_rows(expected) + "\n")
        print(f"{architecture.name}/{adapter.name}: moves log-probabilities by {expected['moved']}")


def make(architecture: Architecture, llama_cpp: Path) -> None:
    """Everything of one architecture, from nothing."""
    folder = (FIXTURES if architecture.is_whole else FIXTURES.parent / "families") / architecture.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        _write_base(architecture, folder, llama_cpp, Path(scratch))
        if not architecture.is_whole:
            print(f"{architecture.name}: base of {(folder / 'base.gguf').stat().st_size} bytes")
        _write_adapters(architecture, folder)
        _write_expected(architecture, folder)
        if architecture.name == "llama":
            for name in WRONG_UPSTREAM:
                convert_adapter(llama_cpp, Path(scratch) / architecture.base_name, folder / name, folder / name / "upstream.gguf")
    if architecture.is_whole:
        make_refused(architecture, folder / "refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llama-cpp", type=Path, required=True, help="a clone of llama.cpp's source, see README.md")
    parser.add_argument("--only", nargs="*", choices=list(EVERYTHING), default=list(EVERYTHING))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in arguments.only:
        make(EVERYTHING[name], arguments.llama_cpp)


if __name__ == "__main__":
    main()
