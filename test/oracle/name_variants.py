"""The same adapter as other tools and older PEFT versions lay it out: other tensor names, or several files."""

import json
from collections.abc import Callable
from pathlib import Path

from adapters import read_config, write_config, write_tensors
from safetensors.torch import load_file

Rename = Callable[[str], str]

#: What each variant makes of `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
RENAMES: dict[str, Rename] = {
    # the adapter's name inside the tensor's name: saved state dicts, older PEFT
    "names-default": lambda name: name.replace(".lora_A.", ".lora_A.default.").replace(".lora_B.", ".lora_B.default."),
    # without PEFT's wrapper
    "names-no-prefix": lambda name: name.removeprefix("base_model.model."),
    # without the wrapper and without the model's own prefix
    "names-bare": lambda name: name.removeprefix("base_model.model.model."),
}
#: The text part of a multimodal Gemma 3, before and after transformers moved `language_model` inside `model`.
GEMMA3_RENAMES: dict[str, Rename] = {
    "names-language-model": lambda name: name.replace("base_model.model.model.", "base_model.model.model.language_model."),
    "names-language-model-old": lambda name: name.replace(
        "base_model.model.model.", "base_model.model.language_model.model."
    ),
}


def rename(source: Path, folder: Path, change: Rename) -> None:
    """The same tensors under other names."""
    tensors = load_file(source / "adapter_model.safetensors")
    write_tensors(folder, {change(name): tensor for name, tensor in tensors.items()})
    write_config(folder, read_config(source))


def shard(source: Path, folder: Path) -> None:
    """Two files and an index. Partners are torn apart on purpose: every A in the first file, every B in the second."""
    tensors = load_file(source / "adapter_model.safetensors")
    files = {side: f"adapter_model-0000{side}-of-00002.safetensors" for side in (1, 2)}
    weight_map = {name: files[1 if ".lora_A." in name else 2] for name in sorted(tensors)}
    for file in files.values():
        write_tensors(folder, {name: tensors[name] for name, where in weight_map.items() if where == file}, file)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "adapter_model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    write_config(folder, read_config(source))
