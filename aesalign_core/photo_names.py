"""Which photo a file's name means, where photos are known by where they were."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class PhotoNames:
    """Photos by path, and by name where only one has it.

    Args:
        photos: The path of each, and what it is to be found as.
    """

    def __init__(self, photos: Iterable[tuple[str, str]]) -> None:
        self._by_path: dict[str, str] = {}
        self._by_name: dict[str, set[str]] = {}
        for path, photo in photos:
            self._by_path[os.path.normpath(path)] = photo
            # A million Path objects would be slow.
            self._by_name.setdefault(os.path.basename(path), set()).add(photo)  # noqa: PTH119

    def find(self, file: str, root: Path | None = None) -> str | None:
        """The photo that a file's name means, below a folder if one is given; None if there is none, or several."""
        whole = file if root is None else os.path.join(os.path.abspath(root), file)  # noqa: PTH100, PTH118 - links stay
        if (known := self._by_path.get(os.path.normpath(whole))) is not None:
            return known
        same = self._by_name.get(os.path.basename(file), set())  # noqa: PTH119
        return next(iter(same)) if len(same) == 1 else None
