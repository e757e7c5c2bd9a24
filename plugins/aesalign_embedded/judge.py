"""Any reward as a judge of two rows of photos; offline, and never better than the reward."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from aesalign_core.errors import EvaluationError, SettingsError
from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import BuildContext, Reward
from aesalign_core.recipe import Use
from aesalign_core.scoring import score
from aesalign_core.settings import Settings
from aesalign_core.types import Row, Verdict

ASPECT = "aesthetic"
Outcome = Literal["win", "similar", "loss"]


class RewardJudgeSettings(Settings):
    """Which reward judges.

    Attributes:
        reward: A reward by component name. Judge with another than the one aligned to: a model that was trained on a
            reward pleases it whether or not people are pleased.
        settings: The reward's own settings; None: those of the recipe's entry of that name.
        margin: Rows whose mean rewards differ by no more than this are `similar`, in the reward's own units.
        batch_size: Photos scored at once.
    """

    reward: str = Field("embedded", min_length=1)
    settings: dict[str, Any] | None = None
    margin: float = Field(0.0, ge=0)
    batch_size: int = Field(64, ge=1, le=4096)

    def uses(self) -> Iterator[tuple[Kind, Use]]:
        """The reward, so that a recipe's check reaches its settings too."""
        yield "reward", Use(use=self.reward, **(self.settings or {}))


class RewardJudge:
    """Compares two rows by the mean reward of their photos. Order plays no part, so none is favoured.

    Attributes:
        name: `reward:` and the reward's name.
        aspects: `aesthetic` alone.
    """

    Settings = RewardJudgeSettings

    def __init__(self, settings: RewardJudgeSettings, context: BuildContext) -> None:
        reward: object = context.reward(settings.reward, settings.settings)
        if not isinstance(reward, Reward):
            raise SettingsError(
                f"the reward {settings.reward!r} is standardised over a gallery, so it cannot judge photos alone",
                hint="judge with one of its members",
            )
        self.name = f"reward:{reward.name}"
        self.aspects: Sequence[str] = (ASPECT,)
        self._reward, self._settings = reward, settings
        self._scores: dict[str, float] = {}
        self._reasons: dict[str, str] = {}

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query. Each photo is read and scored once, however many rows hold it.

        Raises:
            EvaluationError: Not as many rows as queries.
        """
        if not len(queries) == len(old) == len(new):
            raise EvaluationError(f"{len(queries)} queries, but {len(old)} old and {len(new)} new rows")
        self._learn(path for rows in (old, new) for row in rows for path in row)
        return [self._verdict(*triple) for triple in zip(queries, old, new, strict=True)]

    def _learn(self, paths: Iterable[str]) -> None:
        """Scores the paths not yet seen; a photo that cannot be is remembered with its reason."""
        unseen = [p for p in dict.fromkeys(paths) if p not in self._scores and p not in self._reasons]
        folders = {path for path in unseen if Path(path).is_dir()}
        self._reasons.update(dict.fromkeys(folders, "is a folder"))
        files = [path for path in unseen if path not in folders]
        found = score([Path(path) for path in files], [self._reward], batch_size=self._settings.batch_size)
        for path, one in zip(files, found, strict=True):
            if one.score is not None and math.isfinite(one.score):
                self._scores[path] = one.score
            else:
                self._reasons[path] = one.reason or "its reward is not a number"

    def _verdict(self, query: str, old: Row, new: Row) -> Verdict:
        if reason := self._fault(old, "old") or self._fault(new, "new"):
            return Verdict(query, ASPECT, None, reason=reason)
        before, after = self._mean(old), self._mean(new)
        is_close = abs(after - before) <= self._settings.margin
        outcome: Outcome = "similar" if is_close else "win" if after > before else "loss"
        return Verdict(query, ASPECT, outcome, before, after)

    def _fault(self, row: Row, which: str) -> str:
        """Why a row cannot be judged; empty if it can."""
        if not row:
            return f"the {which} row is empty"
        faults = [f"{path}: {self._reasons[path]}" for path in row if path in self._reasons]
        return f"the {which} row holds {faults[0]}" if faults else ""

    def _mean(self, row: Row) -> float:
        # fsum rounds once, so that the same photos in another order have exactly the same mean.
        return math.fsum(self._scores[path] for path in row) / len(row)
