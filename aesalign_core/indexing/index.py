"""Filling a gallery: photos are read, embedded and scored in one pass, and only those that are new."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from aesalign_core import versions
from aesalign_core.errors import GalleryError
from aesalign_core.gallery import (
    DIM_KEY,
    ENCODER_KEY,
    FORMAT,
    FORMAT_KEY,
    REWARD_PREFIX,
    SPACE_KEY,
    check_space,
    read_metadata,
)
from aesalign_core.images.decoding import find_photos
from aesalign_core.indexing.columns import Columns
from aesalign_core.indexing.engines.engine import opened
from aesalign_core.indexing.filling import Filling, Progress
from aesalign_core.indexing.report import IndexReport
from aesalign_core.locations import locate

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.protocols import Encoder

__all__ = ["IndexReport", "index"]


def index(
    source: Path | Sequence[Path],
    gallery: PurePath | str,
    builder: Builder,
    *,
    batch_size: int = 64,
    workers: int | None = None,
    prune: bool = False,
    refit: bool = False,
    progress: Progress | None = None,
    engine: str = "local",
    ray_address: str | None = None,
) -> IndexReport:
    """Brings a gallery up to date with a folder, a list, or some files.

    A write is durable, and there is one every few seconds: after Ctrl-C, a kill or a full disk, what was written is
    there, and the next run goes on from it.

    Args:
        source: A folder, a text file of paths, or paths.
        gallery: Its folder, or `s3://bucket/…`; made if it is not there. The version in use is filled.
        builder: Of the encoder, the rewards and the retriever.
        batch_size: Photos per forward pass.
        workers: Decoding threads of this process, or workers of a Ray cluster; None: as many as fit.
        prune: Remove rows whose file is gone.
        refit: Compute combined rewards' statistics of the gallery anew, and those rewards for every photo.
        progress: Called with photos done and in all.
        engine: Who reads, embeds and scores: `local`, this process; `ray`, the workers of a cluster, which build the
            recipe's encoder and rewards themselves and read the photos where they are. The gallery is written here.
        ray_address: Of the cluster to join, or `auto` for the one that runs on this machine. None: the one that this
            process has joined already, or that RAY_ADDRESS names; else one is started here, and stopped at the end.

    Raises:
        EngineError: The engine cannot be used, or its workers fail again and again.
        GalleryError: No photos; or the gallery cannot be read or written, or another process writes it.
        SpaceMismatchError: Another encoder filled the gallery.
    """
    started = time.perf_counter()
    paths = _paths(source)
    gallery = locate(gallery)
    report = IndexReport(str(gallery), photos=len(paths), engine=engine)
    encoder, columns = builder.encoder(), Columns(builder.rewards())
    # Before any store is opened: stores have threads, and a cluster is started by forking.
    with opened(engine, builder, batch_size=batch_size, workers=workers, ray_address=ray_address) as reader:
        place = versions.in_use(gallery)
        retriever = builder.retriever(place)
        if not retriever.exists():
            retriever.create(dim=encoder.dim, rewards=columns.names, metadata=new_metadata(encoder, columns))
        check_space(gallery, read_metadata(gallery, retriever), encoder)
        with retriever.writing():
            if versions.in_use(gallery) != place:  # a reindexing ended since
                raise GalleryError(f"{gallery} has another version in use now", hint="run the same command again")
            columns.prepare(retriever, builder.warn)
            run = Filling(place, retriever, encoder, columns, report, reader, progress)
            run.add(paths)
            run.agree(prune=prune)
            run.rescore()
            for name, count in report.unscored.items():
                builder.warn(f"reward {name!r} gives no finite score for {count} photos, which are left without one")
            report.rescored |= columns.combine(retriever, refit=refit)
            report.index = retriever.build_index()
    report.seconds = time.perf_counter() - started
    return report


def _paths(source: Path | Sequence[Path]) -> list[Path]:
    if isinstance(source, Path):
        return find_photos(source)
    if not source:
        raise GalleryError("no photos were given", hint="give a folder, a list or photos")
    return list(dict.fromkeys(Path(os.path.abspath(p)) for p in source))  # noqa: PTH100 - links stay links


def new_metadata(encoder: Encoder, columns: Columns) -> dict[str, str]:
    """What a new store says of who fills it."""
    from aesalign_core import __version__

    return {
        FORMAT_KEY: FORMAT,
        "version": __version__,
        SPACE_KEY: encoder.spaces.image,
        ENCODER_KEY: encoder.name,
        DIM_KEY: str(encoder.dim),
        **{REWARD_PREFIX + name: fingerprint for name, fingerprint in columns.fingerprints.items()},
    }
