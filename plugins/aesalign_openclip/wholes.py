"""A whole tower as a head of its own, from patch or token embeddings on: what goes into it is pixels or tokens."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from aesalign_core.types import Tower


class WholeImage(nn.Module):
    """The image tower: (n, 3·h·w) pixels → (n, d).

    Args:
        tower: open_clip's, of any kind.
        size: (h, w).
    """

    def __init__(self, tower: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.tower, self._size = copy.deepcopy(tower), size
        self.requires_grad_(True)  # the model that it is copied from is frozen

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether what is inside its blocks is computed again for the gradient rather than kept."""
        self.tower.set_grad_checkpointing(enable)  # type: ignore[operator]

    def forward(self, features: Tensor) -> Tensor:
        """(n, 3·h·w) → (n, d), not normalised."""
        return _latent(self.tower(features.reshape(len(features), 3, *self._size)))


class WholeText(nn.Module):
    """The text tower: (n, t) tokens, as float32, which holds them exactly → (n, d).

    Args:
        model: open_clip's, whose text tower is a module of its own or made of the model's own parts.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._apart = hasattr(model, "text")
        # The image tower is left out of the copy; nothing of the text tower reads the rest.
        self.tower = (
            copy.deepcopy(model.text) if self._apart else copy.deepcopy(model, {id(model.visual): nn.Identity()})
        )
        for unused in ("logit_scale", "logit_bias"):
            self.tower._parameters.pop(unused, None)
        self.requires_grad_(True)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether what is inside its blocks is computed again for the gradient rather than kept."""
        if self._apart:
            self.tower.set_grad_checkpointing(enable)
        else:
            self.tower.transformer.grad_checkpointing = enable

    def forward(self, features: Tensor) -> Tensor:
        """(n, t) → (n, d), not normalised."""
        tokens = features.long()
        return _latent(self.tower(tokens) if self._apart else self.tower.encode_text(tokens))


def whole_of(model: Any, tower: Tower) -> WholeImage | WholeText:
    """A copy of a tower, in eval mode."""
    if tower == "text":
        return WholeText(model).eval()
    size = model.visual.preprocess_cfg["size"]
    return WholeImage(model.visual, (size, size) if isinstance(size, int) else tuple(size)).eval()


def features(given: Tensor) -> Tensor:
    """(n, …) pixels or tokens → (n, f) float32."""
    return given.float().flatten(1)


def _latent(output: Any) -> Tensor:
    """What the model embeds with: some towers give their tokens, too."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found
