"""The gallery's photos by id, decoded safely and scaled; no path is ever taken from a request."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aesalign_core.errors import GalleryError
from aesalign_core.images.loading import default_workers
from aesalign_core.images.serving import scaled_jpeg

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery

Size = Literal["small", "large"]
SIDES: dict[str, int] = {"small": 320, "large": 1280}
"""Longer sides, in pixels."""
_KEPT = 1_000
"""Small pictures in memory, of about 0.03 MB each. Browsers keep the large ones that they asked for."""
_AHEAD = 256
"""Pictures that may wait for a thread."""


class FullError(Exception):
    """Too many pictures wait."""


class Photos:
    """Pictures of one gallery.

    Args:
        gallery: Whose photos they are.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        # Each may hold 100 million pixels.
        self._pool = ThreadPoolExecutor(default_workers(), thread_name_prefix="aesalign-pictures")
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._waiting = 0

    async def get(self, name: str, size: Size) -> bytes:
        """A photo as JPEG.

        Raises:
            KeyError: It is none of the gallery's.
            ImageError: It cannot be decoded, or is not what it was.
            FullError: Too many wait.
        """
        if size == "small" and name in self._small:
            self._small.move_to_end(name)
            return self._small[name]
        if self._waiting >= _AHEAD:
            raise FullError
        self._waiting += 1
        try:
            data = await asyncio.get_running_loop().run_in_executor(self._pool, self._make, name, size)
        finally:
            self._waiting -= 1
        if size == "small":
            self._small[name] = data
            while len(self._small) > _KEPT:
                self._small.popitem(last=False)
        return data

    def close(self) -> None:
        """Begins no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _make(self, name: str, size: Size) -> bytes:
        try:
            path = Path(self._gallery.paths([name])[0])
        except GalleryError:
            raise KeyError(name) from None
        return scaled_jpeg(path, digest=name, side=SIDES[size])
