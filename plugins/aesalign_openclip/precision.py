"""The number format of a forward pass."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

Precision = Literal["fp32", "bf16", "fp16"]


def choose(asked: Literal["auto", "fp32", "bf16", "fp16"], device: str) -> Precision:
    """fp32 except on CUDA, where half precision is faster: bf16, which cannot overflow, if native."""
    if asked != "auto":
        return asked
    if not device.startswith("cuda"):
        return "fp32"
    import torch

    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def autocast(precision: Precision, device: str) -> contextlib.AbstractContextManager[Any]:
    """Weights stay fp32 and are cast where that is safe, which works for every architecture."""
    import torch

    kind = device.partition(":")[0]
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(kind, dtype=torch.bfloat16 if precision == "bf16" else torch.float16)
