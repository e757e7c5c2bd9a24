"""Scoring photos that are in no gallery."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from aesalign_core.errors import ImageError, SettingsError
from aesalign_core.images.decoding import find_photos
from aesalign_core.images.loading import Loaded, load
from aesalign_core.promises import scores_of
from aesalign_core.protocols import CombinedReward, Reward
from aesalign_core.types import BadFile

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Score:
    """One photo's reward, or why there is none.

    Attributes:
        path: The file.
        reward: Name of the reward; empty if the file could not be read at all.
        score: Higher is better; None if there is none.
        reason: Why there is none.
    """

    path: str
    reward: str
    score: float | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, without what is empty."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def score(
    sources: Sequence[Path],
    rewards: Sequence[Reward | CombinedReward],
    *,
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Score]:
    """Scores files and folders of them, each file decoded once; memory follows the batch.

    Yields:
        In the files' order one score per reward, or one record with the reason.

    Raises:
        SettingsError: A reward that only a whole gallery can have.
        ImageError: A folder that is missing or holds no photo.
        ModelError: A reward gave something else than one score per photo.
    """
    single = [_single(reward) for reward in rewards]
    paths = [path for source in sources for path in (find_photos(source) if source.is_dir() else [source])]
    loaded = load(paths, [reward.preprocess for reward in single], workers=workers, ahead=2 * batch_size)
    done = 0
    while batch := list(islice(loaded, batch_size)):
        yield from _score_batch(batch, single)
        done += len(batch)
        if progress:
            progress(done, len(paths))


def _single(reward: Reward | CombinedReward) -> Reward:
    if isinstance(reward, CombinedReward):
        raise SettingsError(
            f"the reward {reward.name!r} is standardised over a gallery, so a photo alone has none",
            hint="index the photos with it instead",
        )
    return reward


def _score_batch(batch: Sequence[Loaded | BadFile], rewards: Sequence[Reward]) -> Iterator[Score]:
    good = [item for item in batch if isinstance(item, Loaded)]
    columns = [
        scores_of(reward, reward.score_pixels([item.outputs[n] for item in good if item.outputs]), len(good))
        if good
        else np.empty(0, np.float32)
        for n, reward in enumerate(rewards)
    ]
    position = 0
    for item in batch:
        if isinstance(item, BadFile):
            yield Score(item.path, "", reason=item.reason)
            continue
        for reward, column in zip(rewards, columns, strict=True):
            value = float(column[position])
            if math.isnan(value):
                yield Score(str(item.path), reward.name, reason="the reward gave no finite score")
            else:
                yield Score(str(item.path), reward.name, value)
        position += 1


def check_any(scores: Sequence[Score]) -> None:
    """Fails if nothing could be scored.

    Raises:
        ImageError: Every record is a reason.
    """
    if scores and all(s.score is None for s in scores):
        raise ImageError("no photo could be scored", hint="the reasons stand above")
