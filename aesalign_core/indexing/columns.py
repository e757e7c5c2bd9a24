"""The reward columns of a gallery: whose they are, and those that are combined from others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from aesalign_core.errors import SettingsError
from aesalign_core.gallery import REWARD_PREFIX, STATISTICS_PREFIX, as_scores, stored_statistics
from aesalign_core.protocols import CombinedReward, Retriever, Reward
from aesalign_core.types import Scores

R = TypeVar("R", bound=Reward | CombinedReward)


class Columns:
    """What a run's rewards need of a gallery.

    Attributes:
        rewards: Those that score photos, members of combined ones included, each once.
        combined: Those computed from whole columns.
    """

    def __init__(self, rewards: Sequence[Reward | CombinedReward]) -> None:
        self.combined = [r for r in rewards if isinstance(r, CombinedReward)]
        plain = [r for r in rewards if not isinstance(r, CombinedReward)]
        members = [m for c in self.combined for m in c.members]
        self.rewards: list[Reward] = _unique([*plain, *members])
        every: list[Reward | CombinedReward] = [*self.rewards, *self.combined]
        _unique(every)
        self.fingerprints = {r.name: r.fingerprint for r in every}

    @property
    def names(self) -> list[str]:
        """Column names, in the order asked for."""
        return list(self.fingerprints)

    def prepare(self, retriever: Retriever, warn: Callable[[str], None]) -> None:
        """Adds columns that are new and empties those whose reward has changed, so that all of it is scored.

        The emptied column is written before the new fingerprint: a run killed between them empties it again.
        """
        metadata, there = retriever.metadata(), retriever.columns()
        for name in set(there) - set(self.names):
            warn(f"new photos get no {name!r}, which this gallery has but this run does not ask for")
        for name, fingerprint in self.fingerprints.items():
            stored = metadata.get(REWARD_PREFIX + name)
            if name in there and stored == fingerprint:
                continue
            if name in there and stored:
                warn(f"reward {name!r} has changed since this gallery was scored: every photo is scored again")
            ids = [i for batch in retriever.scan(["id"]) for i in batch["id"].to_pylist()] if name in there else []
            retriever.set_column(name, ids, np.full(len(ids), np.nan, dtype=np.float32))
            retriever.update_metadata({REWARD_PREFIX + name: fingerprint, STATISTICS_PREFIX + name: ""})

    def combine(self, retriever: Retriever, *, refit: bool) -> dict[str, int]:
        """Computes combined rewards where they are missing; gives how many photos got one.

        Statistics are taken once and kept, so that a photo's reward does not depend on what is indexed after it.
        """
        return {c.name: n for c in self.combined if (n := _combine(retriever, c, refit=refit))}


def _combine(retriever: Retriever, reward: CombinedReward, *, refit: bool) -> int:
    members = [m.name for m in reward.members]
    ids, columns = read_columns(retriever, [*members, reward.name])
    complete = np.all([np.isfinite(columns[name]) for name in members], axis=0)
    statistics = None if refit else stored_statistics(retriever.metadata(), reward.name)
    wanted = complete if statistics is None else complete & ~np.isfinite(columns[reward.name])
    if not wanted.any():
        return 0
    if statistics is None:
        statistics = reward.fit({name: columns[name][complete] for name in members})
        # Kept first: whatever is written after it agrees with it, even if this run is cut off.
        retriever.update_metadata({STATISTICS_PREFIX + reward.name: json.dumps(statistics)})
        statistics = json.loads(json.dumps(statistics))
    scores = reward.combine({name: columns[name][wanted] for name in members}, statistics)
    retriever.set_column(reward.name, [ids[i] for i in np.flatnonzero(wanted)], np.asarray(scores, np.float32))
    return int(wanted.sum())


def read_columns(retriever: Retriever, names: Sequence[str]) -> tuple[list[str], Mapping[str, Scores]]:
    """Ids and whole reward columns, NaN where a score is missing."""
    ids: list[str] = []
    parts: dict[str, list[Scores]] = {name: [] for name in names}
    for batch in retriever.scan(["id", *dict.fromkeys(names)]):
        ids += batch["id"].to_pylist()
        for name in parts:
            parts[name].append(as_scores(batch[name]))
    return ids, {name: np.concatenate(p) if p else np.empty(0, np.float32) for name, p in parts.items()}


def _unique(rewards: Sequence[R]) -> list[R]:
    found: dict[str, R] = {}
    for reward in rewards:
        other = found.setdefault(reward.name, reward)
        if other.fingerprint != reward.fingerprint:
            raise SettingsError(f"two different rewards are named {reward.name!r}", hint="give one another name")
    return list(found.values())
