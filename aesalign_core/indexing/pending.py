"""Rows that are embedded and not written yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from aesalign_core.protocols import Retriever

ROWS = 2_048
SECONDS = 5.0


class Pending:
    """Gathers rows for a write.

    A store pays by the write, the more the larger it is (a version that lists all its parts, kept for its readers):
    a model's small batches would fill a disk with versions. Both limits bound what a killed run loses: so many rows,
    embedded in so many seconds since the last write.
    """

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._tables: list[pa.Table] = []
        self._written = time.monotonic()

    def add(self, rows: pa.Table) -> None:
        """Takes rows, and writes all it has when they are many or the last write is some time ago."""
        self._tables.append(rows)
        waited = time.monotonic() - self._written
        if waited >= SECONDS or sum(table.num_rows for table in self._tables) >= ROWS:
            self.write()

    def write(self) -> None:
        """Writes what there is.

        Raises:
            GalleryError: The store cannot; these rows are not tried again.
        """
        import pyarrow as pa

        tables, self._tables = self._tables, []
        if tables:
            self._retriever.add(pa.concat_tables(tables))
            self._written = time.monotonic()
