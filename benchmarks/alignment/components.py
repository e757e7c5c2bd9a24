"""The benchmark's own encoder and reward, as a plugin like anybody's: their heads come from files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aesalign_core import BuildContext, Component, hookimpl
from aesalign_core.fingerprints import fingerprint
from aesalign_core.types import Pixels, Vectors
from aesalign_embedded.encoder import EmbeddedEncoder, EmbeddedSettings
from aesalign_embedded.reward import EmbeddedReward, EmbeddedRewardSettings
from aesalign_embedded.weights import parse


class BaseSettings(EmbeddedSettings):
    """Where its weights are.

    Attributes:
        heads: A safetensors file with `image.…`, `text.…` and the logit scale.
    """

    heads: Path


class BaseEncoder(EmbeddedEncoder):
    """The embedded towers under heads from a file. A photo's features are computed once per process."""

    Settings = BaseSettings  # type: ignore[assignment]
    _seen: dict[bytes, Vectors] = {}  # noqa: RUF012 - shared on purpose, whatever the heads

    def __init__(self, settings: BaseSettings, context: BuildContext) -> None:
        super().__init__(settings, context)
        heads = parse(settings.heads.read_bytes())
        for tower in ("image", "text"):
            self._heads[tower] = self._built(tower, heads.part(tower))
        self.name, self.temperature = "bench_base", 1.0 / heads.number("logit_scale")
        self.dim = self._heads["image"].linear.out_features
        self.spaces = self._spaces()

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, 2816) float32."""
        keys = [hashlib.blake2b(p.tobytes()).digest() for p in pixels]
        new = {key: pixel for key, pixel in zip(keys, pixels, strict=True) if key not in self._seen}
        if new:
            self._seen.update(zip(new, super().pixel_features(list(new.values())), strict=True))
        return np.stack([self._seen[key] for key in keys])


class FittedRewardSettings(EmbeddedRewardSettings):
    """Where its weights are.

    Attributes:
        fitted: A safetensors file with a reward head.
        heads: The base encoder's, whose embedding it reads.
    """

    fitted: Path
    heads: Path


class FittedReward(EmbeddedReward):
    """The embedded reward's form with weights from a file."""

    Settings = FittedRewardSettings  # type: ignore[assignment]

    def __init__(self, settings: FittedRewardSettings, context: BuildContext) -> None:
        from aesalign_embedded.heads import digest, projection_from
        from aesalign_embedded.reward_head import reward_from

        super().__init__(settings, context)
        self._projection = projection_from(parse(settings.heads.read_bytes()).part("image"))
        self._head = reward_from(parse(settings.fitted.read_bytes()).tensors)
        self.fingerprint = fingerprint(self._tower.fingerprint, digest(self._projection), digest(self._head))


@hookimpl
def aesalign_encoders() -> list[Component]:
    """The base encoder."""
    return [Component("bench_base", f"{__name__}:BaseEncoder", summary="Heads of the alignment benchmark.")]


@hookimpl
def aesalign_rewards() -> list[Component]:
    """The fitted reward."""
    return [Component("bench_reward", f"{__name__}:FittedReward", summary="Reward of the alignment benchmark.")]
