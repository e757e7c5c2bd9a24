"""One run of `index` over a gallery that is there: read what is new, agree with the files, score what lacks it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.errors import GalleryError
from aesalign_core.images.loading import Loaded
from aesalign_core.indexing import manifest as manifests
from aesalign_core.indexing.columns import Columns
from aesalign_core.indexing.engines.batch import Batch
from aesalign_core.indexing.engines.engine import Engine
from aesalign_core.indexing.manifest import Entry, Manifest
from aesalign_core.indexing.pending import Pending
from aesalign_core.indexing.report import IndexReport
from aesalign_core.indexing.rescoring import Rescorer
from aesalign_core.types import BadFile

if TYPE_CHECKING:
    from aesalign_core.protocols import Encoder, Retriever

Progress = Callable[[int, int], None]
_MANIFEST_SECONDS = 20.0


class Filling:
    """One run, after the store was made or checked; the caller holds the right to write.

    The engine reads files wherever it does; what is written, is written here, some batches at a time.
    """

    def __init__(
        self,
        place: PurePath,
        retriever: Retriever,
        encoder: Encoder,
        columns: Columns,
        report: IndexReport,
        engine: Engine,
        progress: Progress | None,
    ) -> None:
        self.retriever, self.encoder, self.columns, self.report = retriever, encoder, columns, report
        self.engine = engine
        self.progress, self.total = progress, report.photos
        self.pending = Pending(retriever)
        self.manifest = Manifest.read(place)
        self.rows = paths_by_id(retriever)
        self.known = set(self.rows)
        self.files: dict[str, str] = {}
        self.states: dict[str, tuple[int, int]] = {}
        self.done = 0
        self._saved = time.monotonic()

    def add(self, paths: Sequence[Path]) -> None:
        """Reads the files that are not known to be unchanged; embeds, scores and writes what is new."""
        unread = [path for path in paths if self._has_good_name(path) and not self._is_unchanged(path)]
        self._advance(len(paths) - len(unread))
        try:
            for batch in self.engine.read(unread, self.columns.rewards, known=self.known):
                self._keep(batch)
                self._advance(len(batch))
            self.pending.write()
        except BaseException:
            # Both only save time: what stopped the run matters more.
            with contextlib.suppress(GalleryError):
                self.pending.write()
            with contextlib.suppress(GalleryError):
                self.manifest.write()
            raise

    def _is_unchanged(self, path: Path) -> bool:
        """Whether a file is known, by its size and time; keeps its state for the manifest."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return False
        state = (status.st_size, status.st_mtime_ns)
        name = self.manifest.known(str(path), *state)
        if name is not None and name in self.known:
            self.files[str(path)] = name
            return True
        self.states[str(path)] = state
        return False

    def _has_good_name(self, path: Path) -> bool:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode(errors="replace")
            self.report.bad.append(BadFile(shown, "its name is not valid UTF-8"))
            return False
        return True

    def _keep(self, batch: Batch) -> None:
        """Writes what is new of a batch, and notes the rest."""
        self.report.bad += batch.bad
        # Batches that were made side by side may hold photos of one content: the first one is the row.
        new = [position for position, item in enumerate(batch.photos) if item.id not in self.known]
        if new:
            self._write(batch, new)
        for item in (*batch.photos, *batch.known):
            self._note(item)
        self._save_now_and_then()

    def _write(self, batch: Batch, new: Sequence[int]) -> None:
        import pyarrow as pa

        photos, vectors = [batch.photos[i] for i in new], batch.vectors[new]
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        table = {
            "id": pa.array([item.id for item in photos], pa.string()),
            "path": pa.array([str(item.path) for item in photos], pa.string()),
            "width": pa.array([item.width for item in photos], pa.int32()),
            "height": pa.array([item.height for item in photos], pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
        scores = {name: values[new] for name, values in batch.scores.items()}
        columns = {name: pa.array(v, pa.float32(), mask=np.isnan(v)) for name, v in scores.items()}
        self.pending.add(pa.table({**table, **columns}))
        self.report.added += len(photos)
        for item in photos:
            self.known.add(item.id)
            self.rows[item.id] = str(item.path)

    def _save_now_and_then(self) -> None:
        if time.monotonic() - self._saved > _MANIFEST_SECONDS:
            self.manifest.write()
            self._saved = time.monotonic()

    def _note(self, item: Loaded) -> None:
        """Notes a file whose content is in the gallery."""
        self.files[str(item.path)] = item.id
        if str(item.path) in self.states:
            self.manifest.entries[str(item.path)] = Entry(*self.states[str(item.path)], item.id)

    def _advance(self, more: int) -> None:
        self.done += more
        if self.progress is not None:
            self.progress(self.done, self.total)

    def agree(self, *, prune: bool) -> None:
        """Brings rows' paths in line with the files, and counts."""
        elsewhere = self._elsewhere()
        bad = [item.path for item in self.report.bad]
        changes = manifests.compare(self.rows, {**elsewhere, **self.files}, bad)
        self.retriever.set_paths(changes.moved)
        gone = changes.replaced + (changes.vanished if prune else [])
        self.retriever.delete(gone)
        distinct = set(self.files.values())
        self.report.moved = len(changes.moved)
        self.report.unchanged = len(distinct) - self.report.added - len(distinct & changes.moved.keys())
        self.report.duplicates = len(self.files) - len(distinct)
        self.report.removed = len(gone)
        self.report.vanished = 0 if prune else len(changes.vanished)
        kept = self.files.keys() | elsewhere.keys()
        self.manifest.entries = {path: entry for path, entry in self.manifest.entries.items() if path in kept}
        self.manifest.write()

    def _elsewhere(self) -> dict[str, str]:
        """Files of earlier runs that this run did not look at and that are still there."""
        others = self.manifest.entries.keys() - self.files.keys() - self.states.keys()
        return {path: self.manifest.entries[path].id for path in others if Path(path).is_file()}

    def rescore(self) -> None:
        """Gives photos that were there before the rewards that they lack."""
        rescorer = Rescorer(self.retriever, self.encoder, self.engine)

        def advance(done: int, more: int) -> None:
            if self.progress is not None:
                self.progress(self.total + done, self.total + more)

        self.report.rescored, bad = rescorer.fill(self.columns.rewards, advance)
        self.report.unscored = {name: count for name, count in rescorer.unscored.items() if count}
        told = {item.path for item in self.report.bad}
        self.report.bad += [item for item in bad if item.path not in told]


def paths_by_id(retriever: Retriever) -> dict[str, str]:
    """The path of every row."""
    rows: dict[str, str] = {}
    for batch in retriever.scan(["id", "path"]):
        rows.update(zip(batch["id"].to_pylist(), batch["path"].to_pylist(), strict=True))
    return rows
