"""Reading many photos at once, in order, a bounded number ahead of the model."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode_bytes, read_bytes
from aesalign_core.messages import describe
from aesalign_core.types import BadFile, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")
R = TypeVar("R")
Prepare = Callable[["Image"], Pixels]


@dataclass(frozen=True, slots=True)
class Loaded:
    """One photo, read once.

    Attributes:
        path: The file.
        id: sha256 of its bytes, in hex.
        width: Of the upright picture, in pixels; 0 if it was skipped.
        height: Likewise.
        outputs: What each `prepare` made of it, in order; None if it was skipped.
    """

    path: Path
    id: str
    width: int = 0
    height: int = 0
    outputs: tuple[Pixels, ...] | None = None


def default_workers() -> int:
    """Decoding threads: one per core that this process may use, and no more than 16."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, min(16, len(affinity(0)) if affinity else os.cpu_count() or 1))


def load_one(path: Path, prepare: Sequence[Prepare], skip: Callable[[str], bool] | None = None) -> Loaded | BadFile:
    """Reads, hashes, decodes and prepares one file; never raises for what is wrong with the file."""
    try:
        data = read_bytes(path)
        name = hashlib.sha256(data).hexdigest()
        if skip is not None and skip(name):
            return Loaded(path, name)
        decoded = decode_bytes(data)
    except ImageError as error:
        return BadFile(str(path), error.args[0])
    try:
        outputs = tuple(make(decoded.image) for make in prepare)
    except Exception as error:
        return BadFile(str(path), f"cannot be prepared for the model: {describe(error)[:160]}")
    return Loaded(path, name, decoded.width, decoded.height, outputs)


def load(
    paths: Iterable[Path],
    prepare: Sequence[Prepare],
    *,
    workers: int | None = None,
    ahead: int = 128,
    skip: Callable[[str], bool] | None = None,
) -> Iterator[Loaded | BadFile]:
    """Loads photos in threads (Pillow lets go of the interpreter lock), in the order given.

    Args:
        paths: The files.
        prepare: Each is called on the upright RGB picture, in a worker thread.
        workers: Threads; None: one per core.
        ahead: Photos that may be loaded or loading beyond the one last given: what bounds memory.
        skip: Called with a photo's id before it is decoded; True leaves it undecoded.
    """
    return in_threads(lambda path: load_one(path, prepare, skip), paths, workers=workers, ahead=ahead)


def in_threads(
    work: Callable[[T], R], items: Iterable[T], *, workers: int | None = None, ahead: int
) -> Generator[R, None, None]:
    """What some work makes of items, in their order, a bounded number ahead of whoever reads.

    Args:
        work: Called in threads; what it raises is raised here.
        items: As many as there are; they are taken as there is room.
        workers: Threads; None: one per core.
        ahead: Items that may be done or being done beyond the one last given: what bounds memory.
    """
    pool = ThreadPoolExecutor(workers or default_workers(), thread_name_prefix="aesalign-load")
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= max(1, ahead):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Also on Ctrl-C, and when the caller stops early: nothing more is begun.
        pool.shutdown(wait=True, cancel_futures=True)
