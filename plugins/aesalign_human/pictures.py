"""Photos as the page shows them: decoded safely and scaled by us, never a file's own bytes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Literal

from aesalign_core.errors import ImageError
from aesalign_core.images.loading import default_workers
from aesalign_core.images.serving import scaled_jpeg

Size = Literal["small", "large"]
SIDES: dict[str, int] = {"small": 640, "large": 1600}
"""Longer sides, in pixels."""
_KEPT = 600
"""Small pictures kept in memory, of about 0.1 MB each. Browsers keep the large ones that they asked for."""


class Pictures:
    """Photos by the sha256 of their files; no path is ever taken from a request.

    Args:
        paths: Where each was read.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._workers = default_workers()
        self._room = threading.BoundedSemaphore(self._workers)  # each may hold 100 million pixels
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="aesalign-pictures")
        self._small = lru_cache(maxsize=_KEPT)(lambda name: self._make(name, "small"))

    def get(self, name: str, size: Size) -> bytes:
        """A photo as JPEG.

        Raises:
            KeyError: It is none of ours.
            ImageError: It cannot be decoded, or is not what it was at the start.
        """
        if name not in self._paths:
            raise KeyError(name)
        return self._small(name) if size == "small" else self._make(name, size)

    def fault(self, names: Sequence[str]) -> str:
        """Makes the small pictures of these photos; says which cannot be, and why, or nothing."""
        for name, reason in zip(names, self._pool.map(self._reason, names), strict=True):
            if reason:
                return f"unreadable photo: {self._paths[name]}: {reason}"
        return ""

    def prepare(self, names: Sequence[str]) -> None:
        """Makes them in the background, so that the next page need not wait."""
        for name in names:
            self._pool.submit(self._reason, name)

    def close(self) -> None:
        """Begins no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _reason(self, name: str) -> str:
        try:
            self.get(name, "small")
        except ImageError as error:
            return str(error.args[0])
        return ""

    def _make(self, name: str, size: Size) -> bytes:
        side = SIDES[size]
        with self._room:
            return scaled_jpeg(self._paths[name], digest=name, side=side)
