"""Fingerprints of an open_clip model's towers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aesalign_core.fingerprints import fingerprint
from aesalign_core.types import Tower
from aesalign_openclip.loading import Loaded

if TYPE_CHECKING:
    import torch

# Parts that no embedding depends on.
_NEITHER = ("logit_scale", "logit_bias", "text_decoder.")


def of_tower(loaded: Loaded, tower: Tower) -> str:
    """Fingerprint of one tower's raw output: architecture, preprocessing and weights, not their precision.

    Settings left at open_clip's default are left out, so that naming one explicitly, or a release that adds a new
    one, changes nothing.
    """
    config = loaded.config
    parts: dict[str, Any] = {"dim": config["embed_dim"], "quick_gelu": config["quick_gelu"]}
    if tower == "image":
        parts |= {"tower": _explicit(tower, config["vision_cfg"]), "preprocess": loaded.preprocess}
    else:
        parts |= {"tower": _explicit(tower, config["text_cfg"]), "tokenizer": type(loaded.tokenizer).__name__}
    return fingerprint("open_clip", tower, parts, of_weights(dict(_weights(loaded.model, tower))))


def of_weights(weights: Mapping[str, torch.Tensor]) -> bytes:
    """sha256 of named tensors: names, shapes and float32 (or integer) bytes."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().cpu()
        value = (value.float() if value.is_floating_point() else value).contiguous()
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def _weights(model: torch.nn.Module, tower: Tower) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in model.state_dict().items():
        is_image = name.startswith("visual.")
        if is_image == (tower == "image") and not name.startswith(_NEITHER):
            yield name.removeprefix("visual.").removeprefix("text."), value


def _explicit(tower: Tower, config: Mapping[str, Any]) -> dict[str, Any]:
    import open_clip

    defaults = vars((open_clip.CLIPVisionCfg if tower == "image" else open_clip.CLIPTextCfg)())
    # Where untrained weights would come from says nothing about the trained ones.
    ignored = {"timm_model_pretrained", "hf_model_pretrained"}
    return {k: v for k, v in config.items() if k not in ignored and (k not in defaults or v != defaults[k])}
