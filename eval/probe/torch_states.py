"""Hidden states of the last token of prompts, end to end with transformers and torch in float32, and the published code's CKA of them.

    python torch_states.py MODEL.gguf PROMPTS.json STATES.bin CKA.json --repository CLONE-OF-c2d-usp/Layer-wise-LoRA-with-CKA

PROMPTS.json is a list of lists of token ids. STATES.bin is float32 [prompts, layers + 2, length]: the embedding, each layer's output, the final norm's.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

sys.path.insert(0, str(Path(__file__).parents[2] / "test" / "oracle"))
from cka import published_function  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("states", type=Path)
    parser.add_argument("cka", type=Path)
    parser.add_argument("--repository", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    network = AutoModelForCausalLM.from_pretrained(
        str(arguments.model.parent), gguf_file=arguments.model.name, dtype=torch.float32
    ).eval()
    before_norm = []
    network.model.norm.register_forward_pre_hook(lambda _, inputs: before_norm.append(inputs[0][0, -1]))
    found = []
    with torch.inference_mode():
        for prompt in json.loads(arguments.prompts.read_text()):
            states = network(input_ids=torch.tensor([prompt]), output_hidden_states=True, logits_to_keep=1).hidden_states
            rows = [state[0, -1] for state in states]
            found.append(torch.stack([*rows[:-1], before_norm[-1], rows[-1]]))
    all_states = torch.stack(found)
    all_states.numpy().astype("float32").tofile(arguments.states)
    linear_cka = published_function(arguments.repository)
    layers = all_states.shape[1] - 2
    # transformers hands out the normed state in the place of the last layer's output.
    handed_out = [all_states[:, i] for i in range(layers)] + [all_states[:, layers + 1]]
    arguments.cka.write_text(json.dumps([linear_cka(handed_out[i], handed_out[i + 1]) for i in range(layers)]))


if __name__ == "__main__":
    main()
