"""From a template to one self-contained HTML document: no script, nothing fetched, everything escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesalign_core.report import charts, front_chart, grids, wording
from aesalign_core.report.records import Photo
from aesalign_core.report.thumbnails import BUDGET, USUAL, Album, Progress, Thumbnail, thumbnails

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_PAGE = 10_000_000
"""Bytes that a page stays below."""
RESERVE = 200_000
"""Bytes for what is not known before pictures are made: why some cannot be."""
_FOLDER = Path(__file__).parent / "templates"
_SHEETS = ("style.css", "parts.css", "narrow.css")


def document(template: str, *, album: Album, style: str = "", **values: Any) -> str:
    """A page as text.

    Args:
        template: Its file.
        album: The pictures that it may show.
        style: Rules besides the common ones; not escaped, so never made from what strangers wrote.
        values: What the template reads.
    """
    from markupsafe import Markup

    rules = _rules() + style
    return _environment().get_template(template).render(
        **values,
        album=album,
        pictures=album.pictures,
        symbols={path: f"p{number}" for number, path in enumerate(album.pictures)},
        style=Markup(rules),  # noqa: S704 - our own rules
        style_hash=base64.b64encode(hashlib.sha256(rules.encode()).digest()).decode("ascii"),
    )  # fmt: skip


def illustrated(
    make: Callable[[Album], str],
    photos: Iterable[Path],
    *,
    largest: int = USUAL,
    progress: Progress | None = None,
) -> str:
    """A page with pictures as good as `MAX_PAGE` allows; larger only if its words alone are.

    Args:
        make: The page with the pictures of an album.
        photos: Files, in any number.
        largest: Side of a picture at most, in pixels.
        progress: Called with (done, total) pictures.
    """
    paths = list(dict.fromkeys(photos))
    words = make(Album(dict.fromkeys(paths, Thumbnail("data:,", 100, 100))))
    budget = min(BUDGET, max(0, MAX_PAGE - RESERVE - len(words.encode())))
    return make(thumbnails(paths, budget=budget, largest=largest, progress=progress))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_printed,
        loader=PackageLoader("aesalign_core.report"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(
        change=wording.change, value=wording.value, interval=wording.interval, short=wording.short, name=wording.name,
        gain=wording.gain,
    )  # fmt: skip
    environment.globals.update(
        chart=charts, whisker=charts.whisker, front_chart=front_chart, cells=grids.cells, verdicts=wording.VERDICTS,
        outcomes=wording.OUTCOMES, describe=_describe, plural=wording.plural,
    )  # fmt: skip
    return environment


def _printed(value: Any) -> Any:
    """What is printed of any value, wherever it came from."""
    return wording.short(value, wording.MAX_TEXT) if type(value) is str else value


@cache
def _rules() -> str:
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SHEETS)


def _describe(photo: Photo, rank: int, pictures: Mapping[Path, Thumbnail], more: tuple[str, ...] = ()) -> str:
    """The text alternative of a photo in a row: all that is shown when it is pointed at."""
    told = [f"rank {rank}", wording.name(photo.name or photo.path.name)]
    if photo.badge:
        told.append(photo.badge)
    if photo.relevant is not None:
        told.append("answers the query" if photo.relevant else "does not answer the query")
    for label, number in (("score", photo.score), ("similarity", photo.similarity), ("reward", photo.reward)):
        if number is not None:
            told.append(f"{label} {wording.value(number)}")
    problem = pictures[photo.path].problem
    return ", ".join([*told, *photo.notes, *more, *([f"cannot be shown: {problem}"] if problem else [])])
