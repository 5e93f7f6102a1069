"""Log-likelihoods of continuations under every boundary of a LoRA adapter, with transformers, PEFT and torch in float32.

    python torch_likelihoods.py MODEL.gguf PEFT-FOLDER PROMPTS.json FOUND.json

PROMPTS.json has `boundaries` and `prompts` (each with `tokens` and `continuation`). FOUND.json is a list of lists: [boundaries][prompts], natural logarithms.
"""

import json
import re
import sys
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main() -> None:
    model, adapter, asked, found = map(Path, sys.argv[1:])
    torch.set_num_threads(2)
    base = AutoModelForCausalLM.from_pretrained(str(model.parent), gguf_file=model.name, dtype=torch.float32)
    network = PeftModel.from_pretrained(base, str(adapter)).float().eval()
    updates = {name: weight for name, weight in network.named_parameters() if "lora_B" in name}
    whole = {name: weight.detach().clone() for name, weight in updates.items()}
    layer_of = {name: int(re.search(r"layers\.(\d+)\.", name).group(1)) for name in updates}
    request = json.loads(asked.read_text())
    answer = []
    with torch.inference_mode():
        for boundary in request["boundaries"]:
            for name, weight in updates.items():
                weight.copy_(whole[name] if layer_of[name] < boundary else torch.zeros_like(weight))
            sums = []
            for prompt in request["prompts"]:
                tokens, continuation = prompt["tokens"], prompt["continuation"]
                ids = torch.tensor([tokens + continuation[:-1]])
                logits = network(input_ids=ids, logits_to_keep=len(continuation)).logits[0].double()
                rows = torch.log_softmax(logits, dim=-1)
                sums.append(rows[torch.arange(len(continuation)), torch.tensor(continuation)].sum().item())
            answer.append(sums)
    found.write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
