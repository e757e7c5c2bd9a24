"""Which files were indexed in which state, so that a second run reads only what is new.

The manifest is a cache beside the rows: without it every file is read and hashed again, but none is decoded whose
content is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from aesalign_core.locations import read_bytes, write_bytes
from aesalign_core.messages import describe, warn

NAME = "files.parquet"
_LIMIT = 2**35


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when its content was read."""

    size: int
    mtime: int
    id: str


class Manifest:
    """Entries by absolute path."""

    def __init__(self, location: PurePath, entries: dict[str, Entry] | None = None) -> None:
        self._path = location / NAME
        self.entries = entries or {}

    @classmethod
    def read(cls, location: PurePath) -> Manifest:
        """The manifest beside a gallery; an empty one if it is missing or damaged, which costs time only."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            data = read_bytes(location / NAME, limit=_LIMIT)
            if data is None:
                return cls(location)
            columns = pq.read_table(pa.BufferReader(data), columns=["path", "size", "mtime", "id"]).to_pydict()
            rows = zip(columns["path"], columns["size"], columns["mtime"], columns["id"], strict=True)
            return cls(location, {path: Entry(size, mtime, name) for path, size, mtime, name in rows})
        except Exception as error:
            warn(f"{location / NAME} is damaged, so every file is read again: {describe(error)[:160]}")
            return cls(location)

    def write(self) -> None:
        """Replaces the file.

        Raises:
            GalleryError: It cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        entries = self.entries.values()
        table = pa.table(
            {
                "path": pa.array(self.entries, pa.string()),
                "size": pa.array([e.size for e in entries], pa.int64()),
                "mtime": pa.array([e.mtime for e in entries], pa.int64()),
                "id": pa.array([e.id for e in entries], pa.string()),
            }
        )
        written = pa.BufferOutputStream()
        pq.write_table(table, written, compression="zstd")
        write_bytes(self._path, written.getvalue())

    def known(self, path: str, size: int, mtime: int) -> str | None:
        """The id of a file's content, if the file has not been touched since it was read."""
        entry = self.entries.get(path)
        return entry.id if entry and (entry.size, entry.mtime) == (size, mtime) else None


@dataclass
class Changes:
    """What must be done to rows for them to agree with the files.

    Attributes:
        moved: Ids whose file is now elsewhere, with its new path.
        replaced: Ids whose file now holds another picture.
        vanished: Ids whose file is gone.
    """

    moved: dict[str, str] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)


def compare(rows: Mapping[str, str], files: Mapping[str, str], unreadable: Iterable[str]) -> Changes:
    """Compares rows with files.

    Args:
        rows: Path by id, as the gallery has it.
        files: Id by path, for every file known to exist.
        unreadable: Paths that exist but could not be read this time; their rows are left alone.
    """
    places: dict[str, list[str]] = {}
    for path, name in files.items():
        places.setdefault(name, []).append(path)
    left_alone = set(unreadable)
    changes = Changes()
    for name, path in rows.items():
        if files.get(path) == name or path in left_alone:
            continue
        if name in places:
            changes.moved[name] = min(places[name])
        elif path in files:
            changes.replaced.append(name)
        elif not os.path.isfile(path):  # noqa: PTH113 - over a whole gallery, Path objects cost more than the look
            changes.vanished.append(name)
    return changes
