"""What keeps vectors and finds the nearest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aesalign_core.types import Match, Scores, Vectors

if TYPE_CHECKING:
    import pyarrow as pa


@runtime_checkable
class Retriever(Protocol):
    """A store of rows (id, path, width, height, vector, reward columns) that finds the nearest vectors.

    What reads (`search`, `fetch`, `scan`, `count`, `columns`, `metadata`) is called from other threads than the one
    that built it, and from several at once: `aesalign serve` answers requests in threads. What writes is called from
    the one that built it.

    One writer at a time: everything that changes the store takes the right of `writing` itself, and raises
    GalleryError if another has it. `metadata` is a flat map of strings, kept with the rows. Its setting `location` is
    a folder; one whose class says `object_stores = True` is given `s3://bucket/…`, too.
    """

    def exists(self) -> bool:
        """Whether the store is there already. What was open before then sees what others have written since."""
        ...

    def create(self, *, dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Makes an empty store."""
        ...

    def metadata(self) -> dict[str, str]:
        """The metadata. Raises GalleryError if the store is missing or not one of ours."""
        ...

    def update_metadata(self, values: Mapping[str, str]) -> None:
        """Adds or replaces metadata."""
        ...

    def count(self) -> int:
        """Number of rows."""
        ...

    def columns(self) -> list[str]:
        """Names of the reward columns."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Holds the right to write over several writes (each write takes it itself otherwise).

        It ends with the block, also where that raises. Raises GalleryError if another process has it.
        """
        ...

    def add(self, rows: pa.Table) -> None:
        """Appends rows: id, path (string), width, height (int32), vector (list<float32>[d]), rewards (float32)."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Removes rows by id."""
        ...

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Gives known ids new paths (photos that were moved)."""
        ...

    def set_column(self, name: str, ids: Sequence[str], scores: Scores) -> None:
        """Writes a reward column, adding it if it is new; rows not named keep what they have; NaN: no score."""
        ...

    def scan(self, columns: Sequence[str], *, batch_size: int = 4096) -> Iterator[pa.RecordBatch]:
        """All rows, in batches, in a stable order."""
        ...

    def fetch(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of these ids, in the order asked for. Raises GalleryError if one is missing."""
        ...

    def search(
        self, vectors: Vectors, *, k: int, rewards: Sequence[str] = (), where: str | None = None
    ) -> list[list[Match]]:
        """For each of q query vectors the k nearest rows by cosine, nearest first; ties by id; plain Python values.

        Args:
            vectors: (q, d) float32 embeddings.
            k: How many; fewer come back where the store holds fewer.
            rewards: Reward columns to bring along.
            where: An SQL condition on the columns, applied before the search.
        """
        ...

    def build_index(self) -> str:
        """Builds the approximate index that its settings ask for and says what it built."""
        ...


@runtime_checkable
class Droppable(Protocol):
    """A retriever that can remove its store: what `aesalign reindex --delete` asks for."""

    def drop(self) -> None:
        """Removes the rows with all that belongs to them, so that `exists` is False. Raises GalleryError.

        Whatever else is in the folder that it lies in stays.
        """
        ...
