"""A whole model with its trained heads inside, so that open_clip itself computes the aligned embeddings.

A d × d head H follows a tower's last linear map, z·P. As z·P·Hᵀ = z·(P·Hᵀ), it goes into that map, exactly. Trained
blocks and whole towers are put back where they were copied from.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from aesalign_core.errors import ExportError
from aesalign_core.types import Tower
from aesalign_openclip.tails import Tail
from aesalign_openclip.wholes import WholeImage, WholeText

if TYPE_CHECKING:
    from aesalign_openclip.heads import Heads
    from aesalign_openclip.loading import Loaded

AGREEMENT = 0.9999
"""Cosine that what was written must have with what was aligned."""


def folded(loaded: Loaded, heads: Heads, name: str) -> Any:
    """A copy of a model, on the CPU, whose own output is what the heads give.

    Raises:
        ExportError: A tower does not end in a linear map that could take a d × d head in.
    """
    whole, after = folded_or_followed(loaded, heads)
    if after:
        raise ExportError(
            f"the {' and '.join(after)} tower of {name} ends in no linear map that could take the trained one in",
            hint="export to onnx, or align with encoder.trainable_blocks = 'all'",
        )
    return whole


def folded_or_followed(loaded: Loaded, heads: Heads) -> tuple[Any, dict[Tower, nn.Module]]:
    """A copy of a model, on the CPU, with the heads inside, and the heads that have to follow a tower instead."""
    whole: Any = copy.deepcopy(loaded.model).cpu().eval()
    after: dict[Tower, nn.Module] = {}
    towers: tuple[Tower, ...] = ("image", "text")
    for tower in towers:
        head = heads.changed(tower)
        if head is not None and not _put(whole, tower, own := copy.deepcopy(head).cpu(), loaded):
            after[tower] = own
    return whole, after


def _put(model: Any, tower: Tower, head: nn.Module, loaded: Loaded) -> bool:
    """Whether the head could be put into its tower."""
    if isinstance(head, WholeImage):
        model.visual.load_state_dict(head.tower.state_dict())
    elif isinstance(head, WholeText):
        # Without a tower of its own, the text tower is what the model has beside the image tower and the scale.
        getattr(model, "text", model).load_state_dict(head.tower.state_dict(), strict=hasattr(model, "text"))
    elif isinstance(head, Tail):
        _put_tail(model, tower, head)
    else:
        return _multiplied(model, tower, head, example(loaded, tower))
    return True


def _put_tail(model: Any, tower: Tower, tail: Tail) -> None:
    part = model.visual if tower == "image" else getattr(model, "text", model)
    norm, projection = ("ln_post", "proj") if tower == "image" else ("ln_final", "text_projection")
    for own, trained in zip(part.transformer.resblocks[-len(tail.blocks) :], tail.blocks, strict=True):
        own.load_state_dict(trained.state_dict())
    getattr(part, norm).load_state_dict(tail.norm.state_dict())
    if tail.projection is not None:
        setattr(part, projection, copy.deepcopy(tail.projection))


@torch.no_grad()
def _multiplied(model: Any, tower: Tower, head: nn.Module, given: Tensor) -> bool:
    """Has the tower end in what the head makes of its output, if it ends in a linear map; an example has to agree."""
    encode = model.encode_image if tower == "image" else model.encode_text
    wanted, end = head(encode(given, normalize=False)), _end(model, tower)
    before = None if end is None else [part.clone() for part in _parts(end)]
    if end is None or before is None or not _multiply(end, head.weight):  # type: ignore[arg-type]
        return False
    if cosine_similarity(encode(given, normalize=False), wanted).min() > AGREEMENT:
        return True
    for part, old in zip(_parts(end), before, strict=True):  # it was not the end, after all
        part.copy_(old)
    return False


def example(loaded: Loaded, tower: Tower, *, rows: int = 1) -> Tensor:
    """Pixels or tokens to try a tower with, the same every time."""
    if tower == "text":
        return loaded.tokenizer([f"a photo of {row + 2} dogs" for row in range(rows)])
    size = loaded.preprocess["size"]
    sides = (size, size) if isinstance(size, int) else tuple(size)
    return torch.randn((rows, 3, *sides), generator=torch.Generator().manual_seed(0))


def _parts(end: nn.Module | Tensor) -> list[Tensor]:
    return [end] if isinstance(end, Tensor) else list(end.parameters())


def _end(model: Any, tower: Tower) -> nn.Module | Tensor | None:
    """A tower's last linear map, wherever its architecture keeps it."""
    if tower == "text":
        part = getattr(model, "text", model)
        return _last(part.proj if hasattr(part, "proj") else getattr(part, "text_projection", None))
    visual = model.visual
    if hasattr(visual, "trunk"):
        return _timm_end(visual)
    if hasattr(visual, "attnpool"):
        return _last(visual.attnpool.c_proj)
    return _last(visual.proj)


def _timm_end(visual: Any) -> nn.Module | Tensor | None:
    if len(visual.head):
        last = visual.head[-1]
        return _last(getattr(last, "fc2", getattr(last, "proj", last)))
    return _last(visual.trunk.get_classifier())


def _last(end: Any) -> nn.Module | Tensor | None:
    if isinstance(end, nn.Sequential):
        end = end[-1]
    return end if isinstance(end, nn.Linear | nn.Parameter) else None


@torch.no_grad()
def _multiply(end: nn.Module | Tensor, head: Tensor) -> bool:
    """Has a linear map give what the head makes of its output; False if they do not fit."""
    exact = head.double()
    if isinstance(end, nn.Linear) and end.out_features == len(head):
        end.weight.copy_(exact @ end.weight.double())
        if end.bias is not None:
            end.bias.copy_(exact @ end.bias.double())
        return True
    if isinstance(end, Tensor) and end.shape[1] == len(head):
        end.copy_(end.double() @ exact.T)
        return True
    return False
