"""A retriever whose vectors are searched by FAISS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from aesalign_core import BuildContext, Settings
from aesalign_core.errors import GalleryError, QueryError, SettingsError
from aesalign_core.files import replacing, write_text
from aesalign_core.types import Match
from aesalign_faiss.rows import FIXED, Rows, Stamp

if TYPE_CHECKING:
    import pyarrow as pa

    from aesalign_core.types import Scores, Vectors

_ROUNDED = 6
"""Decimals in which similarities are compared: equal vectors may differ in the last bit."""
_FLAT = "Flat"


class FaissSettings(Settings):
    """Settings of the retriever.

    Attributes:
        location: The folder.
        factory: FAISS's own name of an index; `Flat` is exact and needs no building.
        nprobe: Cells that an IVF index visits.
    """

    location: str = "gallery"
    factory: str = Field(_FLAT, min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_,()x]+$")
    nprobe: int = Field(16, ge=1, le=65_536)


class FaissRetriever:
    """Rows in a Parquet file, and a FAISS index of their vectors."""

    Settings = FaissSettings

    def __init__(self, settings: FaissSettings, context: BuildContext) -> None:
        self._settings, self._context = settings, context
        self._folder = Path(settings.location)
        self._rows = Rows(self._folder)
        self._index: tuple[Stamp, Any] | None = None

    # -- rows

    def exists(self) -> bool:
        """Whether the store is there already."""
        return self._rows.exist()

    def create(self, *, dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Makes an empty store."""
        self._rows.create(dim, rewards, metadata)

    def metadata(self) -> dict[str, str]:
        """The metadata."""
        return self._rows.metadata()

    def update_metadata(self, values: Mapping[str, str]) -> None:
        """Adds or replaces metadata."""
        self._rows.describe(values)

    def count(self) -> int:
        """Number of rows."""
        return int(self._rows.table().num_rows)

    def columns(self) -> list[str]:
        """Names of the reward columns."""
        return [name for name in self._rows.table().column_names if name not in FIXED]

    def writing(self) -> AbstractContextManager[None]:
        """Holds the right to write over several writes."""
        return self._rows.writing()

    def add(self, rows: pa.Table) -> None:
        """Appends rows."""
        self._rows.add(rows)

    def delete(self, ids: Sequence[str]) -> None:
        """Removes rows by id."""
        self._rows.delete(ids)

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Gives known ids new paths."""
        self._rows.set_paths(paths)

    def set_column(self, name: str, ids: Sequence[str], scores: Scores) -> None:
        """Writes a reward column."""
        self._rows.set_scores(name, ids, scores)

    def scan(self, columns: Sequence[str], *, batch_size: int = 4096) -> Iterator[pa.RecordBatch]:
        """All rows, in batches."""
        yield from self._rows.selected(columns).to_batches(max_chunksize=batch_size)

    def fetch(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of these ids, in the order asked for."""
        places = {one: place for place, one in enumerate(self._rows.selected(["id"])["id"].to_pylist())}
        if missing := [one for one in ids if one not in places]:
            raise GalleryError(f"no photo {missing[0]} in the gallery {self._folder}")
        return self._rows.selected(columns).take(np.array([places[one] for one in ids], np.int64))

    # -- search

    def search(
        self, vectors: Vectors, *, k: int, rewards: Sequence[str] = (), where: str | None = None
    ) -> list[list[Match]]:
        """For each of q query vectors the k nearest rows by cosine, nearest first; ties by id."""
        if where is not None:
            raise QueryError("a FAISS gallery cannot filter", hint="search without --where")
        known = self._rows.selected(["id", "path", *rewards])
        if k < 1 or vectors.ndim != 2 or vectors.shape[1] != self._rows.dim():
            raise QueryError(
                f"cannot find {k} photos by vectors of shape {vectors.shape}: they have {self._rows.dim()} numbers"
            )
        if not len(vectors) or not known.num_rows:
            return [[] for _ in vectors]
        ids = known["id"].to_pylist()
        ordered = self._ordered(np.ascontiguousarray(vectors, np.float32), min(k, known.num_rows), ids)
        return [self._matches(known, places, rewards) for places in ordered]

    def _ordered(self, vectors: Vectors, k: int, ids: Sequence[str]) -> list[list[tuple[int, float]]]:
        """Places and similarities, nearest first, ties by id: among as many as are as near as the last of k."""
        index, total = self._current(), len(ids)
        asked = min(total, k + 1)
        while True:
            similarities, places = index.search(vectors, asked)
            rounded = np.round(similarities, _ROUNDED)
            if asked == total or not (rounded[:, -1] >= rounded[:, k - 1]).any():
                break
            asked = min(total, 2 * asked)
        found = []
        for near, own in zip(rounded.tolist(), places.tolist(), strict=True):
            pairs = [(place, similarity) for place, similarity in zip(own, near, strict=True) if place >= 0]
            found.append(sorted(pairs, key=lambda pair: (-pair[1], ids[pair[0]]))[:k])
        return found

    def _matches(self, known: pa.Table, places: list[tuple[int, float]], rewards: Sequence[str]) -> list[Match]:
        rows = known.take(np.array([place for place, _ in places], np.int64)).to_pylist()
        return [
            Match(row["id"], row["path"], similarity, {n: row[n] for n in rewards if row[n] is not None})
            for row, (_, similarity) in zip(rows, places, strict=True)
        ]

    # -- the index

    def build_index(self) -> str:
        """Builds the index that its settings ask for and says what it built."""
        if self._settings.factory == _FLAT:
            return f"exact search over {self.count()} photos"
        import faiss

        with self._rows.writing():
            stamp, made = self._rows.stamp(), self._made(self._settings.factory)
            with replacing(self._folder / "index.faiss") as beside:
                faiss.write_index(made, str(beside))
            write_text(self._folder / "index.json", json.dumps({"of": stamp, "factory": self._settings.factory}))
        self._index = None
        return f"FAISS index {self._settings.factory} over {self.count()} photos"

    def _current(self) -> Any:
        """The index of the rows as they are now."""
        stamp = self._rows.stamp()
        if self._index is None or self._index[0] != stamp:
            self._index = (stamp, self._stored(stamp) or self._made(_FLAT))
        return self._index[1]

    def _stored(self, stamp: Stamp) -> Any:
        """The index that was built; None, saying so, where there is none of these rows."""
        if self._settings.factory == _FLAT:
            return None
        import faiss

        try:
            built = json.loads((self._folder / "index.json").read_text(encoding="utf-8"))
            if built == {"of": list(stamp), "factory": self._settings.factory}:
                index = faiss.read_index(str(self._folder / "index.faiss"))
                if "IVF" in self._settings.factory:
                    faiss.extract_index_ivf(index).nprobe = self._settings.nprobe
                return index
        except (OSError, ValueError, RuntimeError):
            pass  # it is built anew, whatever was wrong with it
        self._context.warn(
            f"{self._folder} has no FAISS index {self._settings.factory} of its photos as they are now:"
            " search is exact (aesalign index builds one)"
        )
        return None

    def _made(self, factory: str) -> Any:
        import faiss

        flat = self._rows.selected(["vector"])["vector"].combine_chunks().flatten()
        matrix = np.ascontiguousarray(flat.to_numpy(zero_copy_only=False), np.float32).reshape(-1, self._rows.dim())
        try:
            index = faiss.index_factory(self._rows.dim(), factory, faiss.METRIC_INNER_PRODUCT)
            if not index.is_trained:
                index.train(matrix)
            index.add(matrix)
        except (RuntimeError, AssertionError) as error:
            first = " ".join(str(error).split())[:200]
            raise SettingsError(f"FAISS cannot build {factory!r} of {len(matrix)} photos: {first}") from None
        return index
