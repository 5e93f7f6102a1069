"""Arm d: a PEFT + transformers loop on torch's CPU in bf16. Greedy, key/value cache, one prompt at a time; the adapters from the boundary up are
taken out of the model, so that they cost nothing. The base's weights come from the BF16 GGUF.

    python arm-peft.py WORKLOAD.json RESULT.json
"""

import json
import os
import resource
import sys
import time

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM

workload_path, result_path = sys.argv[1:]
with open(workload_path, encoding="utf8") as file:
    workload = json.load(file)
torch.set_num_threads(workload["threads"])

loading = time.perf_counter()
folder, name = os.path.split(workload["model"])
base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16)
model = PeftModel.from_pretrained(base, workload["peft"], autocast_adapter_dtype=False).to(torch.bfloat16).eval()
network = model.get_base_model()
adapted = []
for path, module in list(network.named_modules()):
    if isinstance(module, LoraLayer):
        parent, _, attribute = path.rpartition(".")
        layer = int(path.split(".layers.")[1].split(".")[0])
        adapted.append((layer, network.get_submodule(parent), attribute, module))


def keep_below(boundary):
    for layer, parent, attribute, module in adapted:
        setattr(parent, attribute, module if layer < boundary else module.base_layer)


end = set(workload["eog"])


def answer(prompt):
    ids, cache, tokens = torch.tensor([prompt]), None, []
    while len(tokens) < workload["maxTokens"]:
        out = network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        token = int(out.logits[0, -1].argmax())
        if token in end:
            break
        tokens.append(token)
        ids = torch.tensor([[token]])
    return tokens


boundaries = []
with torch.inference_mode():
    network(input_ids=torch.tensor([workload["prompts"][0]["tokens"][:8]]), use_cache=True, logits_to_keep=1)
    started = time.perf_counter()
    for boundary in workload["boundaries"]:
        opening = time.perf_counter()
        keep_below(boundary)
        asking = time.perf_counter()
        answers = [{"id": prompt["id"], "tokens": answer(prompt["tokens"])} for prompt in workload["prompts"]]
        done = time.perf_counter()
        boundaries.append(
            {"boundary": boundary, "openSeconds": asking - opening, "seconds": done - asking, "answers": answers}
        )
result = {
    "loadSeconds": started - loading,
    "sweepSeconds": time.perf_counter() - started,
    "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "boundaries": boundaries,
}
with open(result_path, "w", encoding="utf8") as file:
    json.dump(result, file)
