"""Trains the demo model from scratch: tokenizer, base, LoRA adapter.

    python train.py --out DIR

writes DIR/base (a Hugging Face model) and DIR/adapter (a PEFT adapter). A row
of a batch is one story followed by several questions about it. Each question
attends to the story and to itself only, with positions that go on from the
story, so it is computed exactly as if it stood alone in its own prompt.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from muon import Muon
from stories import NEW_RELATION, Pool, copy_task, story

SEED = 7
VOCABULARY = 1024
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STORY_PROMPT = "Answer the question with a short span from the context.\n\nContext: {context}\n\nQuestion:"
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

STORY_WEIGHT = 0.05
COPY_SHARE = 0.1
NEW_SHARE = 0.2
QUESTIONS_PER_STORY = 6
GAP_SHARE = 0.35


def train_tokenizer(rng: random.Random, pool: Pool) -> PreTrainedTokenizerFast:
    """A byte-level BPE over the project's own text, split as llama.cpp's `gpt-2` does."""

    def corpus():
        for _ in range(6000):
            text, questions = story(rng, pool)
            yield STORY_PROMPT.format(context=text)
            yield f"user\n{copy_task(rng, pool)[0]}"
            for q in questions:
                yield f" {q.question}"
                yield f"assistant\n{q.sentence}"
                yield q.span
                yield f" {q.gap} what?"

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        corpus(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[PAD, START, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE
    )


class Rows:
    """Draws packed training rows: (ids, segments, positions, loss weights)."""

    def __init__(self, tokenizer, pool: Pool, rng: random.Random, spans: bool, dev: bool = False):
        self.tokenizer, self.pool, self.rng, self.spans = tokenizer, pool, rng, spans
        self.story_weight = 0.0 if spans else STORY_WEIGHT
        self.dev = dev

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def branch(self, asked: str, answer: str) -> tuple[list[int], list[int]]:
        """The ids after the shared prefix: the rest of the user turn, and the answer."""
        return (
            self.encode(f"{asked}{END}\n{START}assistant\n"),
            self.encode(f"{answer}{END}"),
        )

    def row(self, copying: bool, relations_told: int):
        """One story about some relations with its questions, or copy tasks."""
        if copying:
            prefix, relations, branches = [], [], []
            for _ in range(QUESTIONS_PER_STORY):
                asked, answer = copy_task(self.rng, self.pool)
                branches.append(self.branch(f"{START}user\n{asked}", answer))
        else:
            wanted = NEW_RELATION if self.spans and self.rng.random() < NEW_SHARE else None
            text, questions = story(self.rng, self.pool, wanted, relations_told)
            if not self.spans:
                questions = [q for q in questions if q.relation != NEW_RELATION]
            questions = self.rng.sample(questions, min(QUESTIONS_PER_STORY, len(questions)))
            # The base also learns to fill gaps with the bare span.
            gaps = [not self.spans and not self.dev and self.rng.random() < GAP_SHARE for _ in questions]
            relations = [q.relation for q in questions]
            prefix = self.encode(f"{START}user\n{STORY_PROMPT.format(context=text)}")
            branches = [
                self.branch(f" {q.gap} what?", q.span)
                if gap
                else self.branch(f" {q.question}", q.span if self.spans else q.sentence)
                for q, gap in zip(questions, gaps, strict=True)
            ]
        ids, segments = list(prefix), [0] * len(prefix)
        positions, weights = list(range(len(prefix))), [self.story_weight] * len(prefix)
        for number, (asked, answer) in enumerate(branches, 1):
            size = len(asked) + len(answer)
            ids += asked + answer
            segments += [number] * size
            positions += range(len(prefix), len(prefix) + size)
            weights += [0.0] * len(asked) + [1.0] * len(answer)
        return ids, segments, positions, weights, relations

    def batch(self, size: int, copy_share: float = 0.0, relations_told: int = 4) -> dict:
        size = size * 5 // (relations_told + 1)
        rows = [self.row(self.rng.random() < copy_share, relations_told) for _ in range(size)]
        return collate(rows, self.tokenizer.pad_token_id)


def collate(rows, pad: int) -> dict:
    """Pads rows and builds the attention mask that keeps the questions apart."""
    width = max(len(r[0]) for r in rows)

    def padded(field, value, dtype=torch.long):
        return torch.tensor([r[field] + [value] * (width - len(r[field])) for r in rows], dtype=dtype)

    segments = padded(1, -1)
    query, key = segments[:, :, None], segments[:, None, :]
    mask = (torch.ones(width, width).tril().bool() & ((key == 0) | (key == query)))[:, None]
    return {
        "ids": padded(0, pad),
        "segments": segments,
        "positions": padded(2, 0),
        "weights": padded(3, 0.0, torch.float),
        "mask": mask,
        "relations": [r[4] for r in rows],
    }


def forward(model, batch):
    """Logits and targets at the positions that carry loss."""
    same = batch["segments"][:, 1:] == batch["segments"][:, :-1]
    weights = batch["weights"][:, 1:] * same
    chosen = weights > 0
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = base.model(
        input_ids=batch["ids"],
        position_ids=batch["positions"],
        attention_mask=batch["mask"],
        use_cache=False,
    ).last_hidden_state
    logits = base.lm_head(hidden[:, :-1][chosen])
    return logits, batch["ids"][:, 1:][chosen], weights[chosen], chosen


def loss_of(model, batch):
    """Weighted loss, and the plain loss of the answer tokens."""
    logits, targets, weights, _ = forward(model, batch)
    each = F.cross_entropy(logits, targets, reduction="none")
    answer = each[weights == 1].mean()
    rest = each[weights < 1]
    return answer + (STORY_WEIGHT * rest.mean() if len(rest) else 0), answer.item()


@torch.no_grad()
def exact_match(model, tokenizer, spans: bool, stories: int = 40) -> dict[str, float]:
    """Greedy exact match on dev stories, overall and for each relation.

    Every answer token is the most likely one after the right ones before it,
    which is the same as greedy decoding giving exactly that answer.
    """
    model.eval()
    rows = Rows(tokenizer, Pool("dev"), random.Random(5), spans, dev=True)
    hits: dict[str, list[bool]] = {}
    for _ in range(stories // 10):
        batch = rows.batch(10)
        logits, targets, weights, chosen = forward(model, batch)
        right = torch.ones(chosen.shape, dtype=torch.bool)
        right[chosen] = (logits.argmax(-1) == targets) | (weights < 1)
        segments = batch["segments"][:, 1:]
        for index, relations in enumerate(batch["relations"]):
            for number, relation in enumerate(relations, 1):
                hit = bool(right[index][segments[index] == number].all())
                hits.setdefault(relation, []).append(hit)
    model.train()
    everything = [hit for values in hits.values() for hit in values]
    scores = {name: round(100 * sum(v) / len(v), 1) for name, v in sorted(hits.items())}
    return {"all": round(100 * sum(everything) / len(everything), 1), **scores}


def run(name, model, tokenizer, optimizers, steps, batch_size, spans, easy_steps=0, copy_share=0.0):
    """Trains for a fixed number of steps with a warm-up and a linear decay.

    Batches of the first `easy_steps` hold stories of two facts only; the
    full stories of four facts then take over little by little.
    """
    rng = random.Random(SEED)
    rows = Rows(tokenizer, Pool("train"), rng, spans)
    peaks = [[g["lr"] for g in o.param_groups] for o in optimizers]
    started, seen = time.time(), []
    for step in range(1, steps + 1):
        factor = min(1.0, step / 50, (steps - step + 1) / (0.7 * steps))
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            for group, lr in zip(optimizer.param_groups, peak, strict=True):
                group["lr"] = lr * factor
        easy = rng.random() > (step - easy_steps) / easy_steps if easy_steps else False
        batch = rows.batch(batch_size, copy_share, 2 if easy else 4)
        loss, answer = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        seen.append(answer)
        if step % 50 == 0 or step == steps:
            line = f"{name} step {step}/{steps} answer loss {sum(seen) / len(seen):.3f}"
            seen = []
            if step % 100 == 0 or step == steps:
                line += f" dev EM {json.dumps(exact_match(model, tokenizer, spans))}"
            print(f"{line} {time.time() - started:.0f} s", flush=True)


def new_model(tokenizer) -> LlamaForCausalLM:
    """A llama of 8 layers with random weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        initializer_range=0.04,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train_base(model, tokenizer, options) -> None:
    """Teaches the base to answer in whole sentences, without the new relation."""
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    optimizers = [
        Muon(matrices, lr=0.015),
        torch.optim.AdamW(others, lr=0.003, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    steps = options.base_steps
    run("base", model, tokenizer, optimizers, steps, options.batch, False, steps // 8, COPY_SHARE)


def train_adapter(model, tokenizer, options):
    """Teaches an adapter short spans and the new relation; the base stays as it is."""
    lora = get_peft_model(
        model,
        LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=MODULES, task_type="CAUSAL_LM"),
    )
    weights = [p for p in lora.parameters() if p.requires_grad]
    print(f"adapter: {sum(p.numel() for p in weights):,} weights", flush=True)
    optimizers = [torch.optim.AdamW(weights, lr=0.003, weight_decay=0.0)]
    run("adapter", lora, tokenizer, optimizers, options.adapter_steps, options.batch, True)
    return lora


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base-steps", type=int, default=1500)
    parser.add_argument("--adapter-steps", type=int, default=450)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--adapter-only", action="store_true", help="reuse the base in DIR")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    started = time.time()

    base_path = options.out / "base"
    if options.adapter_only:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(base_path)
        model = LlamaForCausalLM.from_pretrained(base_path)
    else:
        tokenizer = train_tokenizer(random.Random(SEED), Pool("train"))
        tokenizer.save_pretrained(base_path)
        model = new_model(tokenizer)
        print(f"tokenizer: {len(tokenizer)} tokens, base: {model.num_parameters():,} weights", flush=True)
        train_base(model, tokenizer, options)
        model.save_pretrained(base_path)
    adapter = train_adapter(model, tokenizer, options)
    adapter.save_pretrained(options.out / "adapter")
    print(f"done in {(time.time() - started) / 60:.1f} min", flush=True)


if __name__ == "__main__":
    main()
