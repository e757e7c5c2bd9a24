"""A text-only alignment as a map on the base's query embeddings, where it is one exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from aesalign_core.alignment.adapted import AdaptedEncoder
from aesalign_core.errors import ExportError
from aesalign_core.exporting.adapter import QueryAdapter

if TYPE_CHECKING:
    from aesalign_core.protocols import Encoder, TrainableEncoder

_LARGEST_CONDITION = 1e4
"""Of a base head that is undone: float32 embeddings then keep three digits at the least."""


def query_adapter(aligned: Encoder, base: TrainableEncoder) -> QueryAdapter:
    """The map from what `base` makes of texts to what `aligned` does.

    With `--tune adapter` it is the trained map. A linear head A that became B gives B·A⁺, for an embedding tells a
    text's features up to their length, and the length does not matter.

    Raises:
        ExportError: The image tower was tuned, too, or the text head is no such map.
    """
    if aligned.spaces.image != base.spaces.image:
        raise ExportError(
            "an adapter maps queries only, and the image tower was tuned, too", hint="align with --tune adapter"
        )
    new: Any = aligned.text_head()  # type: ignore[attr-defined]  # what `Builder` gives for a RUN has heads
    if isinstance(base, AdaptedEncoder):  # the map reads the embeddings of the encoder below
        return _made(base.base, new.weight, new.bias)
    found = _linear_map(base.text_head(), new)
    if found is None:
        raise ExportError(
            f"what was tuned of {base.name} is no linear map on its embeddings, so that no adapter equals it",
            hint="align with --tune adapter to train one",
        )
    return _made(base, found, torch.zeros(len(found)))


def _made(reads: Encoder, weight: torch.Tensor, bias: torch.Tensor) -> QueryAdapter:
    weight_, bias_ = (np.ascontiguousarray(part.detach().cpu().numpy(), dtype=np.float32) for part in (weight, bias))
    return QueryAdapter(weight_, bias_, reads.name, reads.spaces.text)


def _linear_map(old: nn.Module, new: nn.Module) -> torch.Tensor | None:
    heads = (old, new)
    if not all(type(head) is nn.Linear and head.state_dict().keys() == {"weight"} for head in heads):
        return None
    before, after = (head.state_dict()["weight"].double().cpu() for head in heads)
    if before.shape[0] < before.shape[1] or torch.linalg.cond(before) > _LARGEST_CONDITION:
        return None  # an embedding does not tell the features
    mapped: torch.Tensor = after @ torch.linalg.pinv(before)
    return mapped
