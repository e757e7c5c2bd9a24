"""A preference grid as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.cli import console

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.types import PreferenceGrid


def print_grid(title: str, grid: PreferenceGrid, photos: Gallery) -> None:
    """Prints names and rewards, band by band."""
    names = [[Path(path).name for path in photos.paths(row)] for row in grid.ids]
    rows = [
        [str(band), *(f"{name}\n{reward:.3f}" for name, reward in zip(row, rewards, strict=True))]
        for band, (row, rewards) in enumerate(zip(names, grid.rewards, strict=True))
    ]
    console.table(title, ["band", *(f"photo {n}" for n in range(1, grid.shape[1] + 1))], rows)
