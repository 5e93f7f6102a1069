"""Trims and converts adapters of experts with boundary, loads what it wrote in PEFT, and compares with the recorded values. Run after
`npm run build`; exits with 1 where a log-probability differs by more than 1e-4."""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from expected import largest_difference, log_probabilities, prompts_of
from peft import PeftModel
from tiny_models import ARCHITECTURES, FAMILIES, make_model

HERE = Path(__file__).parent
#: (architecture, adapter, base, K, whether it goes to GGUF and back instead of being trimmed)
CASES = [
    ("qwen3_moe", "families/qwen3_moe/experts", "families/qwen3_moe", 2, False),
    ("llama4", "families/llama4/experts", "families/llama4", 2, False),
    ("llama4", "families/llama4/experts", "families/llama4", 4, True),
    ("gpt-oss", "families/gpt-oss/experts", "families/gpt-oss", 3, True),
    ("mixtral", "kinds/experts-one-by-one", "families/mixtral", 3, True),
    ("qwen3_moe", "kinds/experts-old-peft", "families/qwen3_moe", 3, True),
    ("qwen3_moe", "kinds/mlx-experts", "families/qwen3_moe", 3, True),
    ("llama", "kinds/adalora-masked", "fixtures/llama", 2, False),
    ("llama", "kinds/lokr", "fixtures/llama", 3, False),
]


def boundary(*words: str) -> None:
    subprocess.run(["node", str(HERE.parent.parent / "dist/cli/main.js"), *words, "--no-check"], check=True, capture_output=True)


def main() -> None:
    warnings.simplefilter("ignore")
    failed = False
    for name, adapter, base, keep, through_gguf in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            model, out = str(HERE / base / "base.gguf"), str(Path(scratch) / "out")
            if through_gguf:
                between = str(Path(scratch) / "between.gguf")
                boundary("convert", str(HERE / adapter), "-m", model, "-o", between)
                boundary("convert", between, "-m", model, "-o", out)
            else:
                boundary("trim", str(HERE / adapter), "-m", model, "-k", str(keep), "-o", out)
            architecture = (FAMILIES | ARCHITECTURES)[name]
            loaded = PeftModel.from_pretrained(make_model(architecture), out).eval()
            expected = json.loads((HERE / adapter / "expected.json").read_text())["boundaries"][keep]
            difference = largest_difference(log_probabilities(loaded, prompts_of(architecture)), expected)
            print(f"{adapter}, K={keep}, {'to GGUF and back' if through_gguf else 'trimmed'}: {difference:.1e} nats")
            failed |= not difference < 1e-4
    sys.exit(failed)


if __name__ == "__main__":
    main()
