"""A gallery's photos embedded again by another encoder: into a new version, beside the one that is searched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from aesalign_core import versions
from aesalign_core.errors import GalleryError
from aesalign_core.gallery import REWARD_PREFIX, SPACE_KEY, STATISTICS_PREFIX, read_metadata
from aesalign_core.indexing.columns import Columns, read_columns
from aesalign_core.indexing.engines.engine import Engine, opened
from aesalign_core.indexing.filling import Filling, Progress, paths_by_id
from aesalign_core.indexing.index import new_metadata
from aesalign_core.indexing.report import IndexReport
from aesalign_core.locations import locate
from aesalign_core.types import BadFile
from aesalign_core.versions import Versions

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.protocols import Encoder, Retriever

_TOGETHER = 100_000
"""Scores per write: rewriting a column costs by the write."""


@dataclass
class ReindexReport:
    """What one run did.

    Attributes:
        gallery: Its folder.
        encoder: Who embeds the photos of the new version.
        before: The version in use when the run began.
        version: The new one; the same as `before` if there was nothing to do.
        photos: Rows of the version in use.
        added: Photos embedded by this run; those of an interrupted one are not embedded again.
        copied: Scores taken over from the version in use, by reward.
        left_out: Photos that the new version lacks, and why.
        switched: Whether the gallery means the new version now.
        index: What the retriever says of its search index.
        seconds: Wall time.
    """

    gallery: str
    encoder: str
    before: int
    version: int
    photos: int = 0
    added: int = 0
    copied: dict[str, int] = field(default_factory=dict)
    left_out: list[BadFile] = field(default_factory=list)
    switched: bool = False
    index: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)


def reindex(
    gallery: PurePath | str,
    builder: Builder,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    switch: bool = True,
    leave_out: bool = False,
    progress: Progress | None = None,
    engine: str = "local",
    ray_address: str | None = None,
) -> ReindexReport:
    """Embeds a gallery's photos with another image tower, into a new version, and then has the gallery mean it.

    Searches go on in the old version meanwhile, and photos may be added to it: they are embedded, too, before the
    switch. A run that was stopped goes on when it is called again. Scores are taken over, not computed again, unless
    the recipe names a reward that is new or has changed.

    Args:
        gallery: Its folder, or `s3://bucket/…`.
        builder: Of the encoder and the retriever; and of rewards, if its recipe names some.
        batch_size: Photos per forward pass.
        workers: Decoding threads, or workers of a Ray cluster; None: as many as fit.
        switch: False makes the new version and leaves the old one in use; `GALLERY@VERSION` opens the new one.
        leave_out: Switch even if some photos cannot be read any more, which the new version then lacks.
        progress: Called with photos done and in all.
        engine: Who reads and embeds; see `index`.
        ray_address: See `index`.

    Raises:
        EngineError: The engine cannot be used, or its workers fail again and again.
        GalleryError: The gallery is missing or cannot be written; or photos cannot be read any more, and
            `leave_out` is False: then the old version stays in use, and the new one is kept.
    """
    started = time.perf_counter()
    gallery = locate(gallery)
    if "rewards" not in builder.recipe.model_fields_set:
        builder = builder.of_recipe(builder.recipe.model_copy(update={"rewards": ()}))
    # Before any store is opened; see `index`.
    with opened(engine, builder, batch_size=batch_size, workers=workers, ray_address=ray_address) as reader:
        report = _filled(gallery, builder, reader, progress, switch=switch, leave_out=leave_out)
    report.seconds = time.perf_counter() - started
    return report


def _filled(
    gallery: PurePath, builder: Builder, engine: Engine, progress: Progress | None, *, switch: bool, leave_out: bool
) -> ReindexReport:
    known = versions.read(gallery)
    old = builder.retriever(versions.place(gallery, known.current))
    if not old.exists():
        raise GalleryError(f"there is no gallery at {gallery}", hint=f"make one: aesalign index PHOTOS -g {gallery}")
    space, encoder = read_metadata(gallery, old)[SPACE_KEY], builder.encoder()
    report = ReindexReport(str(gallery), encoder.name, known.current, known.current, photos=old.count())
    if space != encoder.spaces.image:
        report.version = _target(gallery, known, encoder, builder)
        with _Run(gallery, old, encoder, builder, report).filled(engine, progress):
            if switch:
                _switch(gallery, report, leave_out=leave_out)
    return report


def _switch(gallery: PurePath, report: ReindexReport, *, leave_out: bool) -> None:
    """Has the gallery mean the new version, unless something would be lost by it."""
    if report.left_out and not leave_out:
        first = report.left_out[0]
        raise GalleryError(
            f"version {report.version} lacks {len(report.left_out)} of {report.photos} photos, such as"
            f" {first.path}: {first.reason}; version {report.before} stays in use",
            hint="bring them back and run the command again, or add --leave-out",
        )
    versions.write(gallery, versions.read(gallery).using(report.version))
    report.switched = True


def _target(gallery: PurePath, known: Versions, encoder: Encoder, builder: Builder) -> int:
    """The version to fill: one that was begun with this encoder, else a new one, which is recorded first."""
    for number in reversed(known.known):
        if number == known.current:
            continue
        store = builder.retriever(versions.place(gallery, number))
        if not store.exists():  # begun, and stopped before anything was in it
            return number
        if read_metadata(gallery, store)[SPACE_KEY] == encoder.spaces.image:
            return number
    known, number = known.begun()
    versions.write(gallery, known)
    return number


class _Run:
    """One run, from the store of the version in use to that of another."""

    def __init__(
        self, gallery: PurePath, old: Retriever, encoder: Encoder, builder: Builder, report: ReindexReport
    ) -> None:
        self.old, self.encoder, self.builder, self.report = old, encoder, builder, report
        self.place = versions.place(gallery, report.version)
        self.new = builder.retriever(self.place)
        metadata = old.metadata()
        # What the old version knows of a reward still holds: it is of photos, which are the same.
        changed = [r for r in builder.rewards() if metadata.get(REWARD_PREFIX + r.name) != r.fingerprint]
        self.columns = Columns(changed)
        self.kept = [name for name in old.columns() if name not in self.columns.names]
        self.metadata = {
            prefix + name: metadata.get(prefix + name, "")
            for name in self.kept
            for prefix in (REWARD_PREFIX, STATISTICS_PREFIX)
        }

    @contextmanager
    def filled(self, engine: Engine, progress: Progress | None) -> Iterator[None]:
        """The new store in line with the old one, to which nobody adds photos until this is left."""
        if not self.new.exists():
            self.new.create(
                dim=self.encoder.dim, rewards=self.columns.names, metadata=new_metadata(self.encoder, self.columns)
            )
        told = IndexReport(self.report.gallery, photos=self.report.photos)
        with self.new.writing():
            # The old version's own columns are copied, so that nothing need be said of them.
            self.columns.prepare(self.new, lambda _: None)
            run = Filling(self.place, self.new, self.encoder, self.columns, told, engine, progress)
            rows = paths_by_id(self.old)
            run.add([Path(path) for path in rows.values()])
            run.rescore()
            self.report.index = self.new.build_index()
            with self.old.writing():
                self._follow(run, rows)
                run.agree(prune=False)
                self.columns.combine(self.new, refit=False)
                self._copy(self._settle(paths_by_id(self.old), told.bad))
                self.report.added = told.added
                yield

    def _follow(self, run: Filling, before: Mapping[str, str]) -> None:
        """Adds photos that were indexed meanwhile, or moved before they were read."""
        self.old.exists()  # has the store look at what others wrote
        later = [
            Path(path)
            for name, path in paths_by_id(self.old).items()
            if name not in before or (name not in run.known and path != before[name])
        ]
        run.report.photos += len(later)
        run.add(later)

    def _settle(self, old: Mapping[str, str], bad: list[BadFile]) -> set[str]:
        """Takes over paths and removals, notes what the new version lacks; gives the photos of both.

        A file that holds another picture now is there as what it is now, as after `index`.
        """
        new = paths_by_id(self.new)
        paths, there = set(old.values()), set(new.values())
        self.new.delete([name for name, path in new.items() if name not in old and path not in paths])
        self.new.set_paths({name: old[name] for name, path in new.items() if old.get(name, path) != path})
        reasons = {item.path: item.reason for item in bad}
        self.report.photos = len(old)
        self.report.left_out = [
            BadFile(path, reasons.get(path, "is not there"))
            for name, path in old.items()
            if name not in new and path not in there
        ]
        return set(old.keys() & new.keys())

    def _copy(self, both: set[str]) -> None:
        """Takes scores over."""
        if not self.kept:
            return
        ids, columns = read_columns(self.old, self.kept)
        rows = [row for row, name in enumerate(ids) if name in both]
        for name, scores in columns.items():
            for start in range(0, max(1, len(rows)), _TOGETHER):
                part = np.asarray(rows[start : start + _TOGETHER], np.int64)
                self.new.set_column(name, [ids[row] for row in part], scores[part])
            self.report.copied[name] = int(np.isfinite(scores[rows]).sum())
        self.new.update_metadata(self.metadata)
