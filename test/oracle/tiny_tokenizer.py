"""A byte-level BPE tokenizer of 272 entries, so that every model here loads in llama.cpp. The fixtures feed token ids and never use it."""

import json
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel

MERGES = ["t h", "th e", "a n", "i n", "e r", "o n", "r e", "a t", "e n", "o r", "i s", "s t"]
#: begin, end, padding, unknown. llama.cpp refuses a model with phi-3 in its name that lacks one of these.
SPECIAL = ["<s>", "</s>", "<|endoftext|>", "<unk>"]
#: 256 bytes + 12 merges + 4 special tokens
VOCABULARY_SIZE = 256 + len(MERGES) + len(SPECIAL)
BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID = range(VOCABULARY_SIZE - 4, VOCABULARY_SIZE)


def write_tokenizer(folder: Path) -> None:
    """Writes tokenizer.json and tokenizer_config.json into `folder`."""
    pieces = sorted(ByteLevel.alphabet()) + [merge.replace(" ", "") for merge in MERGES]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {"id": BEGIN_ID + i, "content": text, "special": True, "normalized": False}
        | {"single_word": False, "lstrip": False, "rstrip": False}
        for i, text in enumerate(SPECIAL)
    ]
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": MERGES,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0], "eos_token": SPECIAL[1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"pad_token": SPECIAL[2], "unk_token": SPECIAL[3]}))
