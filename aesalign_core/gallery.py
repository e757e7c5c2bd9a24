"""A gallery as its readers see it: photos, their embeddings and rewards, and who filled it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from aesalign_core import versions
from aesalign_core.errors import GalleryError, QueryError, SpaceMismatchError
from aesalign_core.locations import locate
from aesalign_core.messages import nearest
from aesalign_core.promises import matches_of
from aesalign_core.types import Match, Scores, Vectors

if TYPE_CHECKING:
    import pyarrow as pa

    from aesalign_core.build import Builder
    from aesalign_core.protocols import Encoder, Retriever

FORMAT = "aesalign gallery 1"
FORMAT_KEY = "format"
SPACE_KEY = "space"
ENCODER_KEY = "encoder"
DIM_KEY = "dim"
REWARD_PREFIX = "reward:"
"""Of keys whose values are the fingerprints of reward columns."""
STATISTICS_PREFIX = "statistics:"
"""Of keys whose values are, as JSON, what a combined reward knows of the gallery."""


class Gallery:
    """An open gallery. It shows what was there when it was opened.

    Attributes:
        path: Its folder, or a place in an object store.
        space: The fingerprint of the image space that its vectors lie in.
        encoder_name: What the user called the encoder that filled it.
        dim: d, the width of its vectors.
        reward_fingerprints: Of its reward columns, by name, in the order they were added.
        retriever: The store.
    """

    def __init__(self, path: PurePath, retriever: Retriever, metadata: dict[str, str]) -> None:
        self.path = path
        self.retriever = retriever
        self.space = metadata[SPACE_KEY]
        self.encoder_name = metadata[ENCODER_KEY]
        self.dim = int(metadata[DIM_KEY])
        self.reward_fingerprints = {name: metadata.get(REWARD_PREFIX + name, "") for name in retriever.columns()}
        self._statistics: dict[str, tuple[float, float]] = {}

    @classmethod
    def open(cls, path: PurePath | str, builder: Builder) -> Gallery:
        """Opens a gallery that `aesalign index` made, in the version that is in use.

        Args:
            path: Its folder, `s3://bucket/…`, or either with `@VERSION`; see `versions`.
            builder: Of the retriever.

        Raises:
            GalleryError: It is missing, damaged, or not one of ours.
        """
        path = locate(path)
        retriever = builder.retriever(versions.in_use(path))
        if not retriever.exists():
            raise GalleryError(
                f"there is no gallery at {path}", hint=f"make one: aesalign index PHOTOS --gallery {path}"
            )
        return cls(path, retriever, read_metadata(path, retriever))

    def __len__(self) -> int:
        """Number of photos."""
        return self.retriever.count()

    @property
    def rewards(self) -> list[str]:
        """Names of the reward columns."""
        return list(self.reward_fingerprints)

    def check_encoder(self, encoder: Encoder) -> None:
        """Refuses an encoder whose image tower did not fill this gallery.

        Raises:
            SpaceMismatchError: Says which encoder did, and what to do.
        """
        check_space(self.path, {SPACE_KEY: self.space, ENCODER_KEY: self.encoder_name}, encoder)

    def default_reward(self, name: str | None = None) -> str:
        """The reward column of this name; None: the first.

        Raises:
            QueryError: There is no such column, or none at all.
        """
        if name is None and self.rewards:
            return self.rewards[0]
        if name is None or not self.rewards:
            raise QueryError(
                f"the gallery {self.path} has no rewards", hint="index the photos again with --reward NAME"
            )
        if name not in self.rewards:
            raise QueryError(f"the gallery {self.path} has no reward {name!r}", hint=nearest(name, self.rewards))
        return name

    def statistics(self, reward: str) -> tuple[float, float]:
        """Mean and standard deviation of a reward over the photos that have it; (0, 1) if none has."""
        if reward not in self._statistics:
            values = self.scores(reward).astype(np.float64)
            values = values[np.isfinite(values)]
            self._statistics[reward] = (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)
        return self._statistics[reward]

    def ids(self) -> list[str]:
        """Ids of all photos, in the order of every other whole-gallery answer."""
        return [name for batch in self.scan(["id"]) for name in batch["id"].to_pylist()]

    def paths(self, ids: Sequence[str] | None = None) -> list[str]:
        """Paths of these photos, in order; None: of all."""
        return [path for table in self._columns("path", ids) for path in table["path"].to_pylist()]

    def vectors(self, ids: Sequence[str] | None = None) -> Vectors:
        """Embeddings of these photos, in order; None: of all: (n, d) float32."""
        parts = [as_matrix(table["vector"], self.dim) for table in self._columns("vector", ids)]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), dtype=np.float32)

    def scores(self, reward: str, ids: Sequence[str] | None = None) -> Scores:
        """A reward of these photos, in order; None: of all: (n,) float32, NaN where it is missing."""
        column = self.default_reward(reward)
        parts = [as_scores(table[column]) for table in self._columns(column, ids)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)

    def scan(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, in batches, in an order that is the same at each call."""
        return self.retriever.scan(columns)

    def search(
        self, vectors: Vectors, k: int, *, rewards: Sequence[str] = (), where: str | None = None
    ) -> list[list[Match]]:
        """For each of q embeddings the k nearest photos, nearest first; see `Retriever.search`.

        Raises:
            PluginError: The retriever gives something else.
        """
        found = self.retriever.search(vectors, k=k, rewards=rewards, where=where)
        return matches_of(self.retriever, found, len(vectors))

    def _columns(self, column: str, ids: Sequence[str] | None) -> Iterator[Any]:
        if ids is None:
            yield from self.scan([column])
        elif len(ids):
            yield self.retriever.fetch(ids, [column])


def read_metadata(path: PurePath, retriever: Retriever) -> dict[str, str]:
    """The metadata of a store that is one of our galleries.

    Raises:
        GalleryError: It is not, or of another version.
    """
    metadata = retriever.metadata()
    if metadata.get(FORMAT_KEY) != FORMAT or not {SPACE_KEY, ENCODER_KEY, DIM_KEY} <= metadata.keys():
        found = metadata.get(FORMAT_KEY)
        raise GalleryError(
            f"{path} is {f'of the format {found!r}' if found else 'no gallery of aesalign'}",
            hint="index the photos into another folder",
        )
    return metadata


def check_space(path: PurePath, metadata: dict[str, str], encoder: Encoder) -> None:
    """Raises SpaceMismatchError unless a gallery's vectors lie in an encoder's image space."""
    if metadata[SPACE_KEY] == encoder.spaces.image:
        return
    filled_by = metadata[ENCODER_KEY]
    raise SpaceMismatchError(
        f"the gallery {path} was filled by the image tower of {filled_by!r} ({metadata[SPACE_KEY]}), not by that of"
        f" {encoder.name!r} ({encoder.spaces.image})",
        hint=f"use --encoder {filled_by}, or embed them again: aesalign reindex -g {path} --encoder {encoder.name}",
    )


def as_matrix(column: Any, dim: int) -> Vectors:
    """An Arrow column of vectors as (n, d) float32."""
    parts = column.chunks if hasattr(column, "chunks") else [column]
    flat = [np.asarray(part.flatten(), dtype=np.float32).reshape(-1, dim) for part in parts]
    return np.concatenate(flat) if flat else np.empty((0, dim), dtype=np.float32)


def as_scores(column: Any) -> Scores:
    """An Arrow column of rewards as (n,) float32, NaN where it is null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


def stored_statistics(metadata: dict[str, str], reward: str) -> dict[str, Any] | None:
    """What a combined reward knows of the gallery, if it was fitted."""
    text = metadata.get(STATISTICS_PREFIX + reward)
    return json.loads(text) if text else None
