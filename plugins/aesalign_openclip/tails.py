"""The last blocks of a tower as a head of their own, and what goes into them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.utils.checkpoint import checkpoint

from aesalign_core.errors import ModelError
from aesalign_core.types import Tower


class Tail(nn.Module):
    """The last blocks of a transformer, its last norm, pooling and projection: (n, t·w + t) → (n, d).

    A row of features is the input of the first of these blocks, t tokens of width w, and how much of each token's
    output is pooled.

    Args:
        blocks: In order.
        norm: The last one.
        projection: (w, d) matrix, linear map, or None.
        mask: (t, t) attention mask, or None.
        tokens: t.
        norm_first: Whether the norm comes before pooling.
    """

    mask: Tensor | None

    def __init__(
        self,
        blocks: list[nn.Module],
        norm: nn.Module,
        projection: Tensor | nn.Module | None,
        *,
        mask: Tensor | None,
        tokens: int,
        norm_first: bool,
    ) -> None:
        super().__init__()
        self.blocks, self.norm = nn.ModuleList(copy.deepcopy(blocks)), copy.deepcopy(norm)
        own = nn.Parameter(projection.detach().clone()) if isinstance(projection, Tensor) else projection
        self.projection = copy.deepcopy(own)
        self.register_buffer("mask", mask, persistent=False)
        self.tokens, self.norm_first, self._recompute = tokens, norm_first, False
        self.requires_grad_(True)  # the model that they are copied from is frozen

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether what is inside a block is computed again for the gradient rather than kept."""
        self._recompute = enable

    def forward(self, features: Tensor) -> Tensor:
        """(n, t·w + t) → (n, d), not normalised."""
        share = features[:, -self.tokens :]
        x = features[:, : -self.tokens].reshape(len(features), self.tokens, -1)
        for block in self.blocks:
            if self._recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, attn_mask=self.mask, use_reentrant=False)
            else:
                x = block(x, attn_mask=self.mask)
        if self.norm_first:
            pooled = torch.einsum("ntw,nt->nw", self.norm(x), share.to(x.dtype))
        else:
            pooled = self.norm(torch.einsum("ntw,nt->nw", x, share.to(x.dtype)))
        if self.projection is None:
            return pooled
        projected: Tensor = (
            self.projection(pooled) if isinstance(self.projection, nn.Module) else pooled @ self.projection
        )
        return projected


def tail_of(model: Any, tower: Tower, blocks: int, name: str) -> Tail:
    """A copy of the last blocks of a tower.

    Raises:
        ModelError: The tower is of another kind than open_clip's own plain transformers, or has fewer blocks.
    """
    part = _image(model, name) if tower == "image" else _text(model, name)
    every = list(part.transformer.resblocks)
    if blocks > len(every):
        raise ModelError(f"the {tower} tower of {name} has {len(every)} blocks, not {blocks}")
    tokens = int(part.positional_embedding.shape[0])
    if tower == "image":
        ends = {"norm": part.ln_post, "projection": part.proj, "norm_first": not part.final_ln_after_pool}
        return Tail(every[-blocks:], mask=None, tokens=tokens, **ends).eval()
    projection, mask = part.text_projection, part.attn_mask
    return Tail(every[-blocks:], part.ln_final, projection, mask=mask, tokens=tokens, norm_first=True).eval()


def features(model: Any, tower: Tower, blocks: int, given: Tensor, name: str) -> Tensor:
    """(n, t·w + t) what the tail reads of n pixel batches (image) or token batches (text), float32."""
    part = _image(model, name) if tower == "image" else _text(model, name)
    entered: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        entered.append(inputs[0])
        raise _Entered

    hook = part.transformer.resblocks[-blocks].register_forward_pre_hook(note)
    try:
        model.encode_image(given) if tower == "image" else model.encode_text(given)
    except _Entered:
        pass
    finally:
        hook.remove()
    x = entered[0].float()
    share = _image_share(part, x) if tower == "image" else _text_share(part, given)
    return torch.cat([x.flatten(1), share], 1)


class _Entered(Exception):  # noqa: N818 - no error: the rest of the forward pass is not needed
    """The first block of the tail was reached."""


def _image(model: Any, name: str) -> Any:
    from open_clip.transformer import VisionTransformer

    part = model.visual
    plain = isinstance(part, VisionTransformer) and part.attn_pool is None
    if not (plain and part.pool_type in ("tok", "avg") and part.transformer.batch_first):
        raise _other("image", name)
    return part


def _text(model: Any, name: str) -> Any:
    from open_clip.model import CLIP
    from open_clip.transformer import TextTransformer

    part = model if isinstance(model, CLIP) else getattr(model, "text", None)
    known = isinstance(part, CLIP | TextTransformer)
    if not known or getattr(part, "cls_emb", None) is not None or getattr(part, "use_pad_mask", False):
        raise _other("text", name)
    assert part is not None  # noqa: S101 - the type checker's
    if _pool_type(part) not in ("first", "last", "argmax", "eos") or not part.transformer.batch_first:
        raise _other("text", name)
    return part


def _other(tower: Tower, name: str) -> ModelError:
    return ModelError(
        f"the {tower} tower of {name} is not one of open_clip's plain transformers, whose last blocks can be trained",
        hint="leave encoder.trainable_blocks at 0: its last projection can be trained",
    )


def _pool_type(part: Any) -> str:
    return str(getattr(part, "text_pool_type", None) or getattr(part, "pool_type", ""))


def _image_share(part: Any, x: Tensor) -> Tensor:
    """(n, t): the class token's output alone, or the mean of all others."""
    share = torch.zeros(x.shape[:2], device=x.device)
    if part.pool_type == "tok":
        share[:, 0] = 1
    else:
        share[:, 1:] = 1 / (x.shape[1] - 1)
    return share


def _text_share(part: Any, tokens: Tensor) -> Tensor:
    """(n, t): the output of one token alone, as `open_clip.transformer.text_global_pool` chooses it."""
    kind, count = _pool_type(part), tokens.shape[1]
    if kind in ("first", "last"):
        place = torch.full((len(tokens),), 0 if kind == "first" else count - 1, device=tokens.device)
    elif kind == "argmax":
        place = tokens.argmax(1)
    else:
        eos = part.text_eos_id if hasattr(part, "text_eos_id") else part.eos_id
        place = tokens.eq(eos).int().argmax(1)
    return one_hot(place, count).float()
