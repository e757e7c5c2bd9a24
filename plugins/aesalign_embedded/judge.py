"""Any reward, or ensemble of them, as a judge of two rows of photos; offline, and never better than the reward."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from aesalign_core.errors import EvaluationError
from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import BuildContext, CombinedReward, Reward
from aesalign_core.recipe import Use
from aesalign_core.scoring import Progress, score
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
        margin: Rows whose mean rewards differ by no more than this are `similar`, in the reward's own units; of an
            ensemble, in standard deviations over the photos that are compared.
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

    A reward that is made of others is standardised over all photos that are compared, of both systems. So it wants
    all comparisons at once, and judges any two systems, whether or not there is a gallery.

    Attributes:
        name: `reward:` and the reward's name.
        aspects: `aesthetic` alone.
    """

    Settings = RewardJudgeSettings

    def __init__(self, settings: RewardJudgeSettings, context: BuildContext) -> None:
        reward: Reward | CombinedReward = context.reward(settings.reward, settings.settings)
        self.name = f"reward:{reward.name}"
        self.aspects: Sequence[str] = (ASPECT,)
        self._combined = reward if isinstance(reward, CombinedReward) else None
        self._members = tuple(reward.members) if isinstance(reward, CombinedReward) else (reward,)
        self._settings = settings
        self._known: dict[str, tuple[float, ...]] = {}
        self._reasons: dict[str, str] = {}

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query; see `compare_all`."""
        return self.compare_all(queries, old, new)

    def compare_all(
        self,
        queries: Sequence[str],
        old: Sequence[Row],
        new: Sequence[Row],
        *,
        progress: Progress | None = None,
    ) -> list[Verdict]:
        """One verdict per query. Each photo is read and scored once, however many rows hold it.

        Raises:
            EvaluationError: Not as many rows as queries.
        """
        if not len(queries) == len(old) == len(new):
            raise EvaluationError(f"{len(queries)} queries, but {len(old)} old and {len(new)} new rows")
        paths = list(dict.fromkeys(path for rows in (old, new) for row in rows for path in row))
        self._learn(
            paths, lambda done, total: progress(done * len(queries) // total, len(queries)) if progress else None
        )
        scores = self._scores(paths)
        verdicts = [self._verdict(*triple, scores) for triple in zip(queries, old, new, strict=True)]
        if progress:
            progress(len(queries), len(queries))
        return verdicts

    def _learn(self, paths: Sequence[str], progress: Progress) -> None:
        """Scores the paths not yet seen; a photo that cannot be is remembered with its reason."""
        unseen = [p for p in paths if p not in self._known and p not in self._reasons]
        folders = {path for path in unseen if Path(path).is_dir()}
        self._reasons.update(dict.fromkeys(folders, "is a folder"))
        files = [path for path in unseen if path not in folders]
        size = self._settings.batch_size
        found = score([Path(path) for path in files], self._members, batch_size=size, progress=progress)
        for path in files:
            # A photo that cannot be read has one record, any other one of each member.
            first = next(found)
            each = [first, *(next(found) for _ in self._members[1:])] if first.score is not None else [first]
            values = tuple(one.score for one in each if one.score is not None and math.isfinite(one.score))
            if len(values) == len(self._members):
                self._known[path] = values
            else:
                self._reasons[path] = first.reason or "its reward is not a number"

    def _scores(self, paths: Sequence[str]) -> dict[str, float]:
        """The reward of each photo that has one."""
        known = sorted(path for path in paths if path in self._known)  # so that which system is old plays no part
        if self._combined is None or not known:
            return {path: self._known[path][0] for path in known}
        table = np.asarray([self._known[path] for path in known], dtype=np.float32)
        columns = {member.name: table[:, place] for place, member in enumerate(self._members)}
        values = self._combined.combine(columns, self._combined.fit(columns))
        return dict(zip(known, map(float, values), strict=True))

    def _verdict(self, query: str, old: Row, new: Row, scores: Mapping[str, float]) -> Verdict:
        if reason := self._fault(old, "old") or self._fault(new, "new"):
            return Verdict(query, ASPECT, None, reason=reason)
        # fsum rounds once, so that the same photos in another order have exactly the same mean.
        before, after = (math.fsum(scores[path] for path in row) / len(row) for row in (old, new))
        is_close = abs(after - before) <= self._settings.margin
        outcome: Outcome = "similar" if is_close else "win" if after > before else "loss"
        return Verdict(query, ASPECT, outcome, before, after)

    def _fault(self, row: Row, which: str) -> str:
        """Why a row cannot be judged; empty if it can."""
        if not row:
            return f"empty row: the {which} one"
        faults = [f"{path}: {self._reasons[path]}" for path in row if path in self._reasons]
        return f"unreadable photo: {faults[0]}" if faults else ""
