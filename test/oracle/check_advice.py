"""Has PEFT itself apply what `boundary advise` prints: the modules it adapts must be those of the advised layers, and no others.

    npm run build && .venv/bin/python test/oracle/check_advice.py
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from tiny_models import ARCHITECTURES, make_model

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test/oracle/fixtures"
SAMPLES = 20


def advice_for(base: Path, data: Path) -> dict:
    call = ["advise", "-m", str(base), "-d", str(data), "--gpu", "off", "--threads", "1", "--json"]
    return json.loads(subprocess.run(["node", str(ROOT / "dist/cli/main.js"), *call], check=True, capture_output=True).stdout)


def adapted(architecture: str, config: LoraConfig) -> set[str]:
    model = get_peft_model(make_model(ARCHITECTURES[architecture]), config)
    names = (name for name, module in model.named_modules() if isinstance(module, LoraLayer))
    return {name.removeprefix("base_model.model.") for name in names}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.jsonl"
        rows = [{"id": f"s{i}", "question": f"Question {i * i}?", "answer": f"answer {i * 7 % 10}"} for i in range(SAMPLES)]
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name, architecture in ARCHITECTURES.items():
            advice = advice_for(FIXTURES / name / "base.gguf", data)
            layers = [one["layer"] for one in advice["choice"]["layers"]]
            snippets = advice["snippets"]
            scope: dict = {}
            exec(snippets["peft"], scope)
            factory = yaml.safe_load(snippets["llamaFactory"])
            # As LLaMA-Factory does it: split_arg of finetuning_args.py, then LoraConfig(target_modules=...) in adapter.py.
            targets = [item.strip() for item in factory["lora_target"].split(",")]
            found = [
                adapted(name, scope["config"]),
                adapted(name, LoraConfig(r=factory["lora_rank"], lora_alpha=factory["lora_alpha"], target_modules=targets)),
            ]
            expected = {len(layers) * len(architecture.linear)}
            if {len(one) for one in found} != expected or found[0] != found[1]:
                sys.exit(f"{name}: {len(found[0])} and {len(found[1])} modules, {expected} expected")
            seen = {int(re.search(r"\.layers\.(\d+)\.", module).group(1)) for module in found[0]}
            if seen != set(layers):
                sys.exit(f"{name}: layers {sorted(seen)}, {layers} expected")
            print(f"{name}: layers {layers}, {len(found[0])} modules")


if __name__ == "__main__":
    main()
