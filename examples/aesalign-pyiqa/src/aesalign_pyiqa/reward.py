"""pyiqa's no-reference metrics as rewards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from aesalign_core import BuildContext, Settings
from aesalign_core.errors import ModelError, SettingsError, SpaceMismatchError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.messages import describe, nearest

if TYPE_CHECKING:
    from PIL.Image import Image

    from aesalign_core.types import Pixels, Scores, Vectors

_LEAST = 64
"""Pixels of a side: metrics look at blocks of 16, and at halves of the picture."""


class PyiqaSettings(Settings):
    """Settings of the reward.

    Attributes:
        metric: pyiqa's name of it. `piqe` (blocks of noise and artefacts) needs no weights.
        name: The gallery's column; None: the metric's name.
        side: Photos are scaled down to this many pixels of their longer side.
    """

    metric: str = Field("piqe", min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.+-]+$")
    name: str | None = Field(None, pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    side: int = Field(512, ge=_LEAST, le=4096)


class PyiqaReward:
    """A metric of how good a photo looks without another to compare it with; negated where lower is better.

    Attributes:
        name: The gallery's column.
        fingerprint: Of metric, size and pyiqa's version.
        space: None; it reads pictures.
        range: What the metric can give, in pyiqa's words, before it is negated.
    """

    Settings = PyiqaSettings
    space: str | None = None

    def __init__(self, settings: PyiqaSettings, context: BuildContext) -> None:
        self._metric = _metric(settings.metric, context.device)
        self._side, self._device = settings.side, context.device
        self._sign = -1.0 if self._metric.lower_better else 1.0
        self.range = str(self._metric.score_range)
        self.name = settings.name or re.sub(r"[^a-z0-9_]", "_", settings.metric.lower())
        self.fingerprint = fingerprint("pyiqa", version("pyiqa"), settings.metric, settings.side)

    def preprocess(self, image: Image) -> Pixels:
        """(h, w, 3) uint8, no longer than `side`; what is too small for blocks is enlarged."""
        scale = min(1.0, self._side / max(image.size))
        size = tuple(max(_LEAST, round(length * scale)) for length in image.size)
        return np.asarray(image if size == image.size else image.resize(size))

    def score_pixels(self, pixels: Sequence[Pixels]) -> Scores:
        """(n,) float32, in the metric's own unit."""
        import torch

        scores = []
        for one in pixels:
            tensor = torch.from_numpy(np.array(one)).permute(2, 0, 1).unsqueeze(0).float() / 255
            with torch.inference_mode():
                scores.append(self._sign * float(self._metric(tensor.to(self._device))))
        return np.array(scores, dtype=np.float32)

    def score_vectors(self, vectors: Vectors) -> Scores:
        """Not possible: quality is in the pixels."""
        raise SpaceMismatchError("pyiqa's metrics read pictures, not embeddings")


def _metric(name: str, device: str) -> Any:
    """A metric, its weights fetched if they are not there.

    Raises:
        SettingsError: pyiqa has no such metric, or it wants a second picture to compare with.
        ModelError: Its weights cannot be had, or what it is made of cannot be imported.
    """
    import pyiqa
    from pyiqa.default_model_configs import DEFAULT_CONFIGS

    known = [key for key, config in DEFAULT_CONFIGS.items() if config["metric_mode"] == "NR"]
    if name not in known:
        paired = name in DEFAULT_CONFIGS
        problem = "compares a picture with another, which a reward has not" if paired else "is no metric of pyiqa"
        raise SettingsError(f"{name!r} {problem}", hint=nearest(name, known))
    try:
        return pyiqa.create_metric(name, device=device)
    except Exception as error:  # its loaders raise whatever their libraries do
        raise ModelError(
            f"pyiqa cannot make {name!r}: {describe(error)[:200]}",
            hint="its weights are fetched on first use: connect once, or use piqe, which needs none",
        ) from None
