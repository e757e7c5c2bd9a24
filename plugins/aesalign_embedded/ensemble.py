"""Several rewards as one, each standardised over the gallery so that their scales never mix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from aesalign_core.errors import GalleryError, SettingsError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import BuildContext, Reward
from aesalign_core.recipe import Use
from aesalign_core.settings import Settings
from aesalign_core.types import Scores


class Member(Use):
    """A reward of an ensemble: `use`, its weight, and its own settings beside them.

    Attributes:
        weight: Its share; negative where a lower score is better.
    """

    weight: float = Field(1.0, allow_inf_nan=False)

    @field_validator("use")
    @classmethod
    def _not_itself(cls, use: str) -> str:
        if use.rpartition(":")[2] == "ensemble":
            raise ValueError("an ensemble cannot be its own member; list its members instead")
        return use

    @field_validator("weight")
    @classmethod
    def _counts(cls, weight: float) -> float:
        if weight == 0:
            raise ValueError("a member of weight 0 plays no part; leave it out")
        return weight


class EnsembleSettings(Settings):
    """Which rewards, in what proportion.

    Attributes:
        name: The gallery's column.
        members: At least one; a member without settings of its own has those of the recipe's entry of that name.
    """

    name: str = Field("ensemble", pattern=r"^[a-z][a-z0-9_]*$", max_length=64)
    members: tuple[Member, ...] = Field(min_length=1, max_length=100)

    def uses(self) -> Iterator[tuple[Kind, Use]]:
        """The members, so that a recipe's check reaches their settings too."""
        for member in self.members:
            yield "reward", Use(use=member.use, **member.settings)


class EnsembleReward:
    """score = Σ wᵢ zᵢ / Σ |wᵢ|, with zᵢ = (xᵢ - mean of xᵢ) / deviation of xᵢ over the whole gallery.

    The statistics are the gallery's, fitted once and kept with it, so a score never depends on the batch. A member
    that does not vary over the gallery ranks nothing: its z is 0 for every photo. A photo that lacks a member's
    score has none here.

    Attributes:
        name: The gallery's column.
        fingerprint: Of the members' fingerprints and weights.
        members: The rewards that are scored first.
    """

    Settings = EnsembleSettings

    def __init__(self, settings: EnsembleSettings, context: BuildContext) -> None:
        self.name = settings.name
        self.members = tuple(_build(member, context) for member in settings.members)
        names = [member.name for member in self.members]
        twice = sorted({name for name in [*names, self.name] if [*names, self.name].count(name) > 1})
        if twice:
            raise SettingsError(
                f"the ensemble {self.name!r} would have two columns {twice[0]!r}", hint="give one of them a `name`"
            )
        total = sum(abs(member.weight) for member in settings.members)
        self._shares = {name: member.weight / total for name, member in zip(names, settings.members, strict=True)}
        self.fingerprint = fingerprint(
            "ensemble", [[m.name, m.fingerprint, self._shares[m.name]] for m in self.members]
        )

    def fit(self, columns: Mapping[str, Scores]) -> dict[str, Any]:
        """Mean and deviation of each member over the gallery's photos; photos without a score are left out."""
        return {name: _spread(self._column(columns, name)) for name in self._shares}

    def combine(self, columns: Mapping[str, Scores], statistics: Mapping[str, Any]) -> Scores:
        """Scores photos: (n,) float32, NaN where a member's score is missing.

        Raises:
            GalleryError: A member's column, or its statistics, are missing.
        """
        parts = [
            share * _standardised(self._column(columns, name), statistics.get(name), name)
            for name, share in self._shares.items()
        ]
        total: NDArray[np.float64] = np.sum(parts, axis=0)
        return total.astype(np.float32)

    def _column(self, columns: Mapping[str, Scores], name: str) -> NDArray[np.float64]:
        if name not in columns:
            raise GalleryError(f"the ensemble {self.name!r} needs the column {name!r}", hint="index the photos again")
        return np.asarray(columns[name], dtype=np.float64)


def _build(member: Member, context: BuildContext) -> Reward:
    reward: object = context.reward(member.use, member.settings or None)
    if not isinstance(reward, Reward):
        raise SettingsError(f"{member.use!r} is itself made of rewards", hint="list its members instead")
    return reward


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return {"mean": 0.0, "std": 0.0}
    std = float(known.std())
    # Below float32's resolution the deviation is rounding, which would be blown up to unit size.
    is_constant = std <= float(np.finfo(np.float32).eps * np.abs(known).max())
    return {"mean": float(known.mean()), "std": 0.0 if is_constant else std}


def _standardised(values: NDArray[np.float64], statistics: Any, name: str) -> NDArray[np.float64]:
    try:
        mean, std = float(statistics["mean"]), float(statistics["std"])
    except (TypeError, KeyError, ValueError):
        raise GalleryError(
            f"the gallery holds no mean and deviation of {name!r}", hint="index the photos again"
        ) from None
    z = (values - mean) / std if std > 0 else np.where(np.isfinite(values), 0.0, np.nan)
    return np.asarray(z, dtype=np.float64)
