"""Writes quants.json: bytes of every tensor type that dequantize() reads, and the float32 values that gguf-py reads from them.

Run: pip install gguf numpy && python make_quants.py

Types that gguf-py can quantize are made from values; the others from random bytes with sound scales.
Values are hexadecimal little-endian float32, so that nothing is rounded on the way. half_floats: numpy's float16 of chosen values.
"""

import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

BLOCKS = 2
# Byte offsets of the F16 scales inside a block.
SCALES = {T.Q4_K: (144, [0, 2]), T.Q5_K: (176, [0, 2]), T.Q6_K: (210, [208]), T.IQ4_NL: (18, [0])}

rng = np.random.default_rng(7)


def from_values(kind: T) -> np.ndarray:
    values = rng.normal(size=(1, 64)).astype(np.float32)
    values[0, :3] = [0.0, -7.5, 3.0e-6]
    return quantize(values, kind).view(np.uint8).reshape(-1)


def from_bytes(kind: T) -> np.ndarray:
    size, scales = SCALES[kind]
    block = rng.integers(0, 256, size=(BLOCKS, size), dtype=np.uint8)
    for at in scales:
        block[:, at : at + 2] = rng.normal(size=(BLOCKS, 1)).astype(np.float16).view(np.uint8)
    return block.reshape(-1)


def case(kind: T) -> dict[str, str]:
    data = from_bytes(kind) if kind in SCALES else from_values(kind)
    values = data.view(np.float32) if kind == T.F32 else dequantize(data.reshape(1, -1), kind)
    return {"type": kind.name, "bytes": data.tobytes().hex(), "values": values.astype("<f4").tobytes().hex()}


def half_floats() -> dict[str, str]:
    chosen = [0.0, -0.0, 1.0, -2.0, 0.1, 1 / 3, 65504.0, 65519.99, 65520.0, 1e30, -np.inf, np.nan]
    chosen += [2.0**-14, 2.0**-24, 2.0**-25, 1.0001 * 2.0**-25, 1.5 * 2.0**-24, 2.5 * 2.0**-24, 6.0e-5, 1e-40]
    chosen += [1 + 2.0**-11, 1 + 3 * 2.0**-11, 2.0**-14 - 2.0**-26, 3.389e38, 3.4e38, 1 + 2.0**-8, 1 + 3 * 2.0**-8]
    values = np.concatenate([np.array(chosen, np.float32), rng.normal(size=40).astype(np.float32)])
    values = np.concatenate([values, (rng.normal(size=40) * 1e-5).astype(np.float32)])
    with np.errstate(over="ignore"):
        f16 = values.astype("<f2")
    return {
        "values": values.astype("<f4").tobytes().hex(),
        "f16": f16.tobytes().hex(),
        "bf16": quantize(values.reshape(1, -1), T.BF16).tobytes().hex(),
    }


kinds = [T.F32, T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL]
golden = {"quants": [case(kind) for kind in kinds], "half_floats": half_floats()}
Path(__file__).with_name("quants.json").write_text(json.dumps(golden, indent=2) + "\n")
