"""One self-contained HTML page of a comparison: no script, nothing fetched, safe with hostile names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from aesalign_core.files import write_text
from aesalign_core.report import charts, grids, wording
from aesalign_core.report.choosing import Shown, choose
from aesalign_core.report.comparison import Comparison
from aesalign_core.report.templating import document, illustrated
from aesalign_core.report.thumbnails import Album, Progress


def render(comparison: Comparison, *, progress: Progress | None = None) -> str:
    """The page as text, below 10 MB unless its words alone are more.

    Args:
        comparison: What to show. Photos that cannot be read are shown as a note that says why.
        progress: Called with (done, total) thumbnails.
    """
    shown = choose(comparison)
    return illustrated(partial(_document, comparison, shown), _photos(comparison, shown), progress=progress)


def write_comparison(path: Path, comparison: Comparison, *, progress: Progress | None = None) -> Path:
    """Writes the page; an older one stays until the new one is whole.

    Args:
        path: The HTML file.
        comparison: What to show.
        progress: Called with (done, total) thumbnails.

    Returns:
        `path`.

    Raises:
        AesalignError: It cannot be written.
    """
    write_text(path, render(comparison, progress=progress))
    return path


def _photos(comparison: Comparison, shown: Shown) -> Iterator[Path]:
    """Every photo's file, in the order of first use."""
    for query in shown.all:
        yield from (photo.path for photo in (*query.old, *query.new))
    for grid in comparison.grids:
        yield from (photo.path for row in grid.rows for photo in row)


def _document(comparison: Comparison, shown: Shown, album: Album) -> str:
    return document(
        "comparison.html.j2",
        album=album,
        style=grids.highlighting(comparison.grids),
        page=comparison,
        shown=shown,
        answers_known=any(p.relevant is not None for q in shown.all for p in (*q.old, *q.new)),
        asked_twice=any(v.flipped is not None for q in shown.all for v in q.verdicts),
        headline=wording.headline(comparison.measures),
        lines=[drawn for drawn in map(charts.line, comparison.curves) if drawn],
    )
