"""A page of one preference grid."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from aesalign_core.files import write_text
from aesalign_core.report import grids
from aesalign_core.report.records import GridExample
from aesalign_core.report.templating import document, illustrated
from aesalign_core.report.thumbnails import Album, Progress

Pairs = tuple[tuple[str, str], ...]


def write_grid(path: Path, example: GridExample, *, facts: Pairs = (), progress: Progress | None = None) -> Path:
    """Writes a page of a grid; an older one stays until the new one is whole.

    Args:
        path: The HTML file.
        example: The grid.
        facts: Label and value.
        progress: Called with (done, total) thumbnails.

    Returns:
        `path`.

    Raises:
        AesalignError: It cannot be written.
    """
    photos = (photo.path for row in example.rows for photo in row)
    write_text(path, illustrated(partial(_document, example, facts), photos, progress=progress))
    return path


def _document(example: GridExample, facts: Pairs, album: Album) -> str:
    style = grids.highlighting([example])
    return document("grid.html.j2", album=album, style=style, example=example, facts=facts)
