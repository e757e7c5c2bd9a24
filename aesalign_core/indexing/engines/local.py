"""Threads of this process read and decode ahead of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from aesalign_core.images.loading import load
from aesalign_core.indexing.engines.batch import Batch, Gathering
from aesalign_core.indexing.onepass import OnePass
from aesalign_core.protocols import Encoder, Reward

BATCHES_AHEAD = 3
"""Batches that loaders may be ahead of the model."""


class LocalEngine:
    """See `Engine`.

    Args:
        encoder: Who embeds.
        batch_size: Photos per forward pass.
        workers: Decoding threads; None: one per core.
    """

    name = "local"

    def __init__(self, encoder: Encoder, *, batch_size: int, workers: int | None) -> None:
        self._encoder, self._batch_size, self._workers = encoder, batch_size, workers

    def read(
        self, paths: Sequence[Path], rewards: Sequence[Reward], *, known: Set[str] = frozenset(), embed: bool = True
    ) -> Iterator[Batch]:
        """Batches of `batch_size` photos, the last one of fewer; files that need no embedding come in between."""
        one_pass = OnePass(self._encoder, rewards, embed=embed)
        gathering = Gathering(one_pass, known)
        ahead = BATCHES_AHEAD * self._batch_size
        for item in load(paths, one_pass.prepare, workers=self._workers, ahead=ahead, skip=known.__contains__):
            gathering.take(item)
            if gathering.photos == self._batch_size:
                yield gathering.batch()
            elif gathering.others >= self._batch_size:
                yield gathering.rest()
        yield gathering.batch()
