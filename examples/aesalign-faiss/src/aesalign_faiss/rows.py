"""Rows of photos in one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from aesalign_core.errors import GalleryError
from aesalign_core.files import replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from aesalign_core.types import Scores

FIXED = ("id", "path", "width", "height", "vector")
_METADATA = b"store"

Stamp = tuple[int, int, int]
"""What changes when the file does: its number, its time and its size."""


class Rows:
    """A table of photos that is written whole, beside the old one, and renamed.

    Args:
        folder: Of the file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "photos.parquet"
        self._lock = FileLock(f"{folder}.lock", timeout=0)
        self._known: tuple[Stamp, pa.Table] | None = None

    def exist(self) -> bool:
        """Whether there is a file."""
        return self._file.is_file()

    def stamp(self) -> Stamp:
        """Of the file as it is now."""
        try:
            state = self._file.stat()
        except OSError:
            raise GalleryError(f"there is no gallery at {self.folder}", hint="make one with aesalign index") from None
        return state.st_ino, state.st_mtime_ns, state.st_size

    def table(self) -> pa.Table:
        """All of them, as they are now: read again where another process has written."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        stamp = self.stamp()
        if self._known is None or self._known[0] != stamp:
            try:
                found = pq.read_table(self._file)
            except (OSError, pa.ArrowException) as error:
                raise GalleryError(f"the gallery at {self.folder} cannot be read: {error}") from None
            if missing := [name for name in FIXED if name not in found.column_names]:
                raise GalleryError(f"the file in {self.folder} is no gallery: it lacks {', '.join(missing)}")
            self._known = (stamp, found)
        return self._known[1]

    def selected(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of all rows."""
        rows = self.table()
        if unknown := [name for name in columns if name not in rows.column_names]:
            raise GalleryError(f"the gallery has no column {unknown[0]!r}")
        return rows.select(list(columns))

    def dim(self) -> int:
        """Numbers of a vector."""
        return int(self.table().schema.field("vector").type.list_size)

    def metadata(self) -> dict[str, str]:
        """The store's metadata."""
        return dict(json.loads((self.table().schema.metadata or {}).get(_METADATA, b"{}")))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the right to write, against other processes and other stores of this one."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise GalleryError(f"another process writes to {self.folder}", hint="wait until it is done") from None
        try:
            yield
        finally:
            self._lock.release()

    def create(self, dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Makes an empty file."""
        import pyarrow as pa

        if self.exist():
            raise GalleryError(f"there is a gallery at {self.folder} already")
        fixed = [("id", pa.string()), ("path", pa.string()), ("width", pa.int32()), ("height", pa.int32())]
        fields = [*fixed, ("vector", pa.list_(pa.float32(), dim)), *((name, pa.float32()) for name in rewards)]
        with self.writing():
            self._write(pa.schema(fields).empty_table(), dict(metadata))

    def describe(self, values: Mapping[str, str]) -> None:
        """Adds to the metadata."""
        with self.writing():
            self._write(self.table(), {**self.metadata(), **values})

    def add(self, rows: pa.Table) -> None:
        """Appends rows; reward columns that they lack are empty."""
        import pyarrow as pa

        with self.writing():
            known = self.table()
            for name in known.column_names:
                if name not in rows.column_names:
                    rows = rows.append_column(name, pa.nulls(rows.num_rows, known.schema.field(name).type))
            try:
                added = rows.select(known.column_names).cast(known.schema)
            except (pa.ArrowException, KeyError) as error:
                raise GalleryError(f"these rows do not fit the gallery: {error}") from None
            self._write(pa.concat_tables([known, added]), self.metadata())

    def delete(self, ids: Sequence[str]) -> None:
        """Removes rows."""
        import pyarrow as pa
        import pyarrow.compute as pc

        with self.writing():
            known = self.table()
            gone = pc.is_in(known["id"], value_set=pa.array(ids, pa.string()))
            self._write(known.filter(pc.invert(gone)), self.metadata())

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Gives known ids new paths."""
        import pyarrow as pa

        with self.writing():
            known = self.table()
            old = zip(known["id"].to_pylist(), known["path"].to_pylist(), strict=True)
            self._replace("path", pa.array([paths.get(one, path) for one, path in old], pa.string()))

    def set_scores(self, name: str, ids: Sequence[str], scores: Scores) -> None:
        """Writes a reward column; NaN: no score."""
        import pyarrow as pa

        with self.writing():
            known = self.table()
            given = dict(zip(ids, np.asarray(scores, np.float32).tolist(), strict=True))
            old = known[name].to_pylist() if name in known.column_names else [None] * known.num_rows
            values = [given.get(one, value) for one, value in zip(known["id"].to_pylist(), old, strict=True)]
            plain = [None if value is None or np.isnan(value) else value for value in values]
            self._replace(name, pa.array(plain, pa.float32()))

    def _replace(self, name: str, values: pa.Array) -> None:
        rows = self.table()
        if name in rows.column_names:
            changed = rows.set_column(rows.column_names.index(name), name, values)
        else:
            changed = rows.append_column(name, values)
        self._write(changed, self.metadata())

    def _write(self, rows: pa.Table, metadata: dict[str, str]) -> None:
        import pyarrow.parquet as pq

        with replacing(self._file) as beside:
            pq.write_table(rows.replace_schema_metadata({_METADATA: json.dumps(metadata)}), beside)
        self._known = None
