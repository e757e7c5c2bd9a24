"""What a table's place decides: whether it is there, who may write, what makes a write whole."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePath
from typing import Any, Protocol

from aesalign_core import versions
from aesalign_core.errors import GalleryError
from aesalign_core.indexing import manifest
from aesalign_core.protocols import BuildContext
from aesalign_lancedb import guard
from aesalign_lancedb.writing import LOCK, WriterLock

TABLE = "photos"
_OURS = frozenset({f"{TABLE}.lance", LOCK, manifest.NAME, *versions.NAMES})
# A wrong address must not cost the minutes that the library would try for.
_PATIENCE = {"client_max_retries": "3", "client_retry_timeout": "20", "connect_timeout": "5s", "timeout": "60s"}
_REMEMBERED = 128_000_000
"""Bytes that the library may remember of files and versions, of which a writer makes ever more (its own: 1 GB)."""


def _connect(location: PurePath, **options: Any) -> Any:
    import lancedb

    session = lancedb.Session(metadata_cache_size_bytes=_REMEMBERED)
    return lancedb.connect(str(location), session=session, **options)


class Place(Protocol):
    """Where one table is."""

    def connect(self) -> Any:
        """The LanceDB database that holds it."""
        ...

    def has_table(self) -> bool:
        """Whether it has been made."""
        ...

    def check_free(self) -> None:
        """Raises GalleryError if other things are where a new table is to be."""
        ...

    def clear(self) -> None:
        """Removes what a killed creation left, which is no table yet; called by who has the right to write."""
        ...

    def whole(self, *, size: int) -> AbstractContextManager[None]:
        """Guards one write of about so many bytes, which happens whole or not at all."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Holds the right to write; may be nested."""
        ...


class Folder:
    """A folder: a lock that the system frees, and a disk that may fill up."""

    def __init__(self, location: Path) -> None:
        self._location = location
        self._table = location / f"{TABLE}.lance"
        self._lock = WriterLock(location)

    def connect(self) -> Any:
        """The database."""
        return _connect(self._location)

    def has_table(self) -> bool:
        """Whether a version of the table has been written."""
        written = self._table / "_versions"
        return written.is_dir() and any(written.iterdir())

    def check_free(self) -> None:
        """Refuses a file, and a folder where other things are."""
        if self._location.exists() and not self._location.is_dir():
            raise GalleryError(f"{self._location} is a file", hint="name a new folder")
        if self._location.is_dir() and any(e.name not in _OURS for e in self._location.iterdir()):
            raise GalleryError(f"the folder {self._location} holds other files", hint="name a new folder")

    def clear(self) -> None:
        """Removes a folder without a version."""
        shutil.rmtree(self._table, ignore_errors=True)

    def whole(self, *, size: int) -> AbstractContextManager[None]:
        """See `guard`."""
        return guard.whole(self._table, size=size)

    def held(self) -> AbstractContextManager[None]:
        """The lock of the folder."""
        return self._lock.held()


class Store:
    """A prefix in an object store. A write there is one conditional request at its end, so it is whole by itself.

    There is no lock that a store would free when its holder is killed, so there is none at all: two writers at once
    spoil nothing that is there, but may write a photo twice.
    """

    def __init__(self, location: PurePath, context: BuildContext) -> None:
        self._location, self._context = location, context

    def connect(self) -> Any:
        """The database."""
        return _connect(self._location, storage_options=dict(_PATIENCE))

    def has_table(self) -> bool:
        """Whether the store lists it."""
        return TABLE in self.connect().list_tables().tables

    def check_free(self) -> None:
        """Nothing to do: other objects beside a table do not disturb it."""

    def clear(self) -> None:
        """Nothing to do: a creation there is one request."""

    def whole(self, *, size: int) -> AbstractContextManager[None]:
        """Nothing to do."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Only says that nothing is held."""
        self._context.warn(
            f"{self._location} has no lock, as no object store has: see to it that no other process writes it now"
        )
        yield
