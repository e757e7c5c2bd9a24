"""What an engine makes of a batch of files."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from aesalign_core.images.loading import Loaded
from aesalign_core.indexing.onepass import OnePass
from aesalign_core.types import BadFile, Scores, Vectors


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files, each of them in one of three places.

    Attributes:
        photos: n photos of different contents, without pixels.
        vectors: (n, d) their embeddings; of width 0 if none were asked for.
        scores: (n,) scores by the reward's name.
        known: Files whose content was known before, or is another file's in `photos`.
        bad: Files that cannot be read.
    """

    photos: Sequence[Loaded] = ()
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    scores: dict[str, Scores] = field(default_factory=dict)
    known: Sequence[Loaded] = ()
    bad: Sequence[BadFile] = ()

    def __len__(self) -> int:
        """How many files."""
        return len(self.photos) + len(self.known) + len(self.bad)


class Gathering:
    """Sorts files as they are loaded, until they make a batch.

    Args:
        one_pass: Embeds and scores.
        known: Ids of contents that need no embedding; it may grow meanwhile.
    """

    def __init__(self, one_pass: OnePass, known: Container[str]) -> None:
        self._one_pass, self._skip = one_pass, known
        self._new: dict[str, Loaded] = {}
        self._known: list[Loaded] = []
        self._bad: list[BadFile] = []

    @property
    def photos(self) -> int:
        """Photos that wait to be embedded."""
        return len(self._new)

    @property
    def others(self) -> int:
        """Files that need no embedding."""
        return len(self._known) + len(self._bad)

    def take(self, item: Loaded | BadFile) -> None:
        """One more file."""
        if isinstance(item, BadFile):
            self._bad.append(item)
        elif item.outputs is None or item.id in self._skip or item.id in self._new:
            self._known.append(replace(item, outputs=None))
        else:
            self._new[item.id] = item

    def rest(self) -> Batch:
        """The files that need no embedding; the others go on waiting."""
        batch = Batch(known=self._known, bad=self._bad)
        self._known, self._bad = [], []
        return batch

    def batch(self) -> Batch:
        """Everything, embedded and scored."""
        rest = self.rest()
        if not self._new:
            return rest
        vectors, scores = self._one_pass([item.outputs or () for item in self._new.values()])
        photos = [replace(item, outputs=None) for item in self._new.values()]
        self._new = {}
        return replace(rest, photos=photos, vectors=vectors, scores=scores)
