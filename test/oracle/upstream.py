"""llama.cpp's own converters, run as they are; only the vocabulary step of the base model is replaced for the tiny tokenizer."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any


#: beside config.json: keys of released checkpoints that transformers no longer writes, or calls by other values
RELEASED = "_released.json"


def convert_base(llama_cpp: Path, model_folder: Path, out: Path, flags: tuple[str, ...] = ()) -> None:
    """Writes an F32 GGUF of a Hugging Face model folder with convert_hf_to_gguf.py."""
    _run([__file__, str(llama_cpp), str(model_folder), "--outtype", "f32", "--outfile", str(out), *flags])


def convert_adapter(llama_cpp: Path, base_config_folder: Path, adapter: Path, out: Path) -> None:
    """Writes an F32 GGUF of a PEFT folder with convert_lora_to_gguf.py, unchanged."""
    script = str(llama_cpp / "convert_lora_to_gguf.py")
    _run([script, "--base", str(base_config_folder), "--outtype", "f32", "--outfile", str(out), str(adapter)])


def _run(arguments: list[str]) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")


def _patched_base_converter() -> None:
    """Runs convert_hf_to_gguf.py with `set_vocab` of every model class replaced by the byte-level one."""
    llama_cpp = Path(sys.argv[1])
    sys.path.insert(0, str(llama_cpp))
    from conversion import ModelBase, TextModel, get_model_architecture, get_model_class, ModelType

    load_hparams = ModelBase.load_hparams

    def with_released_keys(folder: Path, is_mistral_format: bool) -> dict[str, Any]:
        """What transformers reads, and above it what released checkpoints have otherwise; without what is None there."""
        released = json.loads((folder / RELEASED).read_text())
        read = load_hparams(folder, is_mistral_format)
        return {key: value for key, value in (read | released).items() if key not in released or value is not None}

    ModelBase.load_hparams = staticmethod(with_released_keys)
    hparams = ModelBase.load_hparams(Path(sys.argv[2]), False)
    model_class = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
    model_class.set_vocab = lambda self: self._set_vocab_gpt2()
    TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    script = llama_cpp / "convert_hf_to_gguf.py"
    sys.argv = [str(script), *sys.argv[2:]]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    _patched_base_converter()
