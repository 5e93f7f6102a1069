"""Loads every trimmed PEFT folder with PEFT itself and compares it with what PEFT computed when those modules were dropped."""

import json
import subprocess
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import torch
from adapters import write_config, write_tensors
from expected import largest_difference, log_probabilities, lora_layers, prompts_of
from peft import PeftModel
from tiny_models import ARCHITECTURES, SHARED, Architecture, make_model
from transformers import AutoModelForCausalLM, MixtralConfig, PretrainedConfig, Qwen3MoeConfig

HERE = Path(__file__).parent
#: Nats. Both sides are PEFT in float32 with equal tensors; what is left is the rounding to 7 digits in expected.json.
TOLERANCE = 1e-5


def difference_to(architecture: Architecture, folder: str, wanted: list[list[float]]) -> tuple[float, int]:
    """Largest difference in nats of PEFT's log-probabilities with this folder, and the number of modules PEFT put in place."""
    model = PeftModel.from_pretrained(make_model(architecture), folder).eval()
    return largest_difference(log_probabilities(model, prompts_of(architecture)), wanted), len(lora_layers(model))


#: Adapters whose names are those of a multimodal model class, which these text models are not: PEFT reads not even the untrimmed folder.
OTHER_CLASS = {"names-language-model", "names-language-model-old"}


#: Mixture-of-experts models whose adapters have a pair for each expert, as PEFT wrote them for transformers 4; the rest of their sizes is shared.
EXPERTS: dict[str, tuple[PretrainedConfig, str, dict[str, bool]]] = {
    "qwen3moe": (
        Qwen3MoeConfig(**SHARED, head_dim=8, moe_intermediate_size=24, num_experts=4, num_experts_per_tok=2),
        "mlp.experts",
        {"gate_proj": False, "up_proj": False, "down_proj": True},
    ),
    "mixtral": (
        MixtralConfig(**SHARED | {"intermediate_size": 24}, num_local_experts=4, num_experts_per_tok=2),
        "block_sparse_moe.experts",
        {"w1": False, "w3": False, "w2": True},
    ),
}


def failures_of_experts() -> list[str]:
    """An adapter of q_proj and every expert, trimmed to its lowest layer, must be for PEFT what it is with the upper layers' B at zero."""
    failures = []
    for name, (config, experts, modules) in EXPERTS.items():
        torch.manual_seed(1)
        base = AutoModelForCausalLM.from_config(config).eval().state_dict()
        tensors: dict[str, torch.Tensor] = {}
        for layer in range(config.num_hidden_layers):
            pairs = {"self_attn.q_proj": (32, 32)}
            for expert in range(4):
                pairs |= {f"{experts}.{expert}.{one}": (24, 32) if down else (32, 24) for one, down in modules.items()}
            for path, (inputs, outputs) in pairs.items():
                key = f"base_model.model.model.layers.{layer}.{path}"
                tensors[f"{key}.lora_A.weight"] = torch.randn(4, inputs)
                tensors[f"{key}.lora_B.weight"] = torch.randn(outputs, 4)
        targets = ["q_proj", *modules]
        settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": targets}
        with tempfile.TemporaryDirectory() as scratch:
            zeroed = {k: v if ".layers.0." in k or ".lora_A." in k else torch.zeros_like(v) for k, v in tensors.items()}
            for folder, content in (("whole", tensors), ("zeroed", zeroed)):
                write_tensors(Path(scratch) / folder, content)
                write_config(Path(scratch) / folder, settings)
            command = [str(HERE / "../../dist/cli/main.js"), "trim", f"{scratch}/whole", "--keep", "1", "--out", f"{scratch}/one"]
            subprocess.run(["node", *command], check=True, stdout=subprocess.DEVNULL)

            def logits(folder: str) -> torch.Tensor:
                model = AutoModelForCausalLM.from_config(config)
                model.load_state_dict(base)
                ids = torch.arange(3, 15)[None]
                return PeftModel.from_pretrained(model, f"{scratch}/{folder}").eval()(ids).logits  # noqa: B023

            with torch.no_grad():
                wanted = logits("zeroed")
                difference = (logits("one") - wanted).abs().max().item()
                moved = (logits("whole") - wanted).abs().max().item()
        print(f"{name}, experts: {difference:.2g} at K=1; the upper layers are worth {moved:.2g}")
        if difference > TOLERANCE or moved < 100 * TOLERANCE:
            failures.append(f"{name}, experts: {difference:.2g}")
    return failures


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    worst: dict[str, float] = defaultdict(float)
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
            if entry["adapter"] in OTHER_CLASS:
                continue
            checked += 1
            wanted = expected["boundaries"][entry["boundary"]] if "boundary" in entry else expected["masks"][entry["mask"]]["logprobs"]
            difference, modules = difference_to(architecture, entry["folder"], wanted)
            worst[name] = max(worst[name], difference)
            if difference > TOLERANCE or modules != entry["kept"]:
                failures.append(f"{name}, {entry['title']}: {difference:.2g} nats; PEFT sees {modules} modules of {entry['kept']}")
    for name, difference in worst.items():
        print(f"{name}: worst {difference:.2g} nats")
    failures += failures_of_experts()
    checked += len(EXPERTS)
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{checked} folders, {len(failures)} failures")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
