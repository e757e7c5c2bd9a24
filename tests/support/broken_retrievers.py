"""Retrievers that break one promise each, made of the one that `aesalign plugins new` writes."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from aesalign_plain_store.retriever import PlainStoreRetriever
from filelock import Timeout

from aesalign_core import Component, hookimpl
from aesalign_core.errors import GalleryError


class Good(PlainStoreRetriever):
    def drop(self) -> None:
        shutil.rmtree(self._folder)


class Threadbound(Good):
    """As a connection to SQLite is."""

    def __init__(self, settings: Any, context: Any) -> None:
        super().__init__(settings, context)
        self.home = threading.get_ident()

    def search(self, *args: Any, **options: Any) -> Any:
        if threading.get_ident() != self.home:
            raise RuntimeError("made in another thread")
        return super().search(*args, **options)


class Shared(Good):
    """Two searches at once answer each other."""

    asked: Any = None

    def search(self, vectors: Any, **options: Any) -> Any:
        if self.asked is not None:
            raise RuntimeError("recursive use of cursors")
        self.asked = threading.Event()
        try:
            self.asked.wait(0.05)
            return super().search(vectors, **options)
        finally:
            self.asked = None


def _unlocked(name: str) -> type[Good]:
    def write(self: Any, *args: Any) -> None:
        self.writing = nullcontext
        try:
            getattr(Good, name)(self, *args)
        finally:
            del self.writing

    return type(f"Unlocked_{name}", (Good,), {name: write})


UNLOCKED = {name: _unlocked(name) for name in ("delete", "set_column", "set_paths", "update_metadata")}
globals().update({made.__name__: made for made in UNLOCKED.values()})


class Holding(Good):
    @contextmanager
    def writing(self) -> Any:
        try:
            self._lock.acquire()
        except Timeout:
            raise GalleryError("another process writes") from None
        yield
        self._lock.release()


class Stale(Good):
    def _rows(self) -> Any:
        return self._known[1] if self._known else super()._rows()


class Limited(Good):
    def fetch(self, ids: Any, columns: Any) -> Any:
        return super().fetch(sorted(ids) if len(ids) > 999 else ids, columns)


class Numpy(Good):
    def search(self, *args: Any, **options: Any) -> Any:
        found = super().search(*args, **options)
        return [[replace(m, similarity=np.float32(m.similarity)) for m in matches] for matches in found]


class Sweeping(Good):
    def drop(self) -> None:
        for path in self._folder.parent.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


BROKEN: dict[str, Callable[..., Any]] = {
    "good": Good, "threadbound": Threadbound, "shared": Shared, "holding": Holding, "stale": Stale,
    "limited": Limited, "numpy": Numpy, "sweeping": Sweeping, **UNLOCKED,
}  # fmt: skip


@hookimpl
def aesalign_retrievers() -> list[Component]:
    return [Component(name, f"broken_retrievers:{c.__name__}", summary="Broken.") for name, c in BROKEN.items()]
