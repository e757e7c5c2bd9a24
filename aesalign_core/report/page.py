"""One self-contained HTML page of a comparison: no script, nothing fetched, safe with hostile names."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aesalign_core.files import write_text
from aesalign_core.report import charts, wording
from aesalign_core.report.comparison import ComparedQuery, Comparison
from aesalign_core.report.thumbnails import Thumbnail, thumbnails

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_QUERIES = 100
HIGHLIGHTS = 5
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shown:
    """Which queries a page shows: the biggest gains and losses first, the rest folded."""

    gains: list[ComparedQuery]
    losses: list[ComparedQuery]
    rest: list[ComparedQuery]
    left_out: int

    @property
    def all(self) -> tuple[ComparedQuery, ...]:
        """Every query shown."""
        return (*self.gains, *self.losses, *self.rest)


def choose(comparison: Comparison, *, most: int = MAX_QUERIES, highlights: int = HIGHLIGHTS) -> Shown:
    """Picks what is shown; of too many queries, the largest gains and the largest losses in equal number.

    Where it is known which photos answer a query, a query that shows fewer of them is a loss, whatever it gained,
    and one that shows none is no gain.
    """
    ordered = comparison.by_gain()
    kept = ordered if len(ordered) <= most else ordered[: most - most // 2] + ordered[len(ordered) - most // 2 :]
    gains = [q for q in kept if q.gain > 0 and q.right_lost <= 0 and q.answered][:highlights]
    lost = [q for q in reversed(kept) if q.right_lost > 0 or (q.gain < 0 and q not in gains)]
    losses = sorted(lost, key=lambda q: -q.right_lost)[:highlights]
    chosen = {id(q) for q in (*gains, *losses)}
    return Shown(gains, losses, [q for q in kept if id(q) not in chosen], len(ordered) - len(kept))


def render(comparison: Comparison, *, progress: Progress | None = None) -> str:
    """The page as text.

    Args:
        comparison: What to show. Photos that cannot be read are shown as a note that says why.
        progress: Called with (done, total) thumbnails.
    """
    shown = choose(comparison)
    visible = Comparison(
        title="", old="", new="", measures=(), queries=shown.all or comparison.queries, grid=comparison.grid
    )
    pictures = thumbnails(visible.photos(), progress=progress)
    style = _style()
    return _environment().get_template("comparison.html.j2").render(
        page=comparison,
        shown=shown,
        answers_known=any(p.relevant is not None for q in shown.all for p in (*q.old, *q.new)),
        headline=wording.headline(comparison.measures),
        symbols={path: f"p{number}" for number, path in enumerate(pictures)},
        pictures=pictures,
        lines=[drawn for drawn in map(charts.line, comparison.curves) if drawn],
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii"),
    )  # fmt: skip


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


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=lambda v: wording.clean(v) if type(v) is str else v,  # whatever is printed, wherever it came from
        loader=PackageLoader("aesalign_core.report"),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(change=wording.change, value=wording.value, interval=wording.interval)
    environment.globals.update(
        whisker=charts.whisker, verdicts=wording.VERDICTS, chart=charts, describe=_describe, plural=_plural
    )
    return environment


@cache
def _style() -> Any:
    from markupsafe import Markup

    folder = Path(__file__).parent / "templates"
    return Markup((folder / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _describe(photo: Any, rank: int, pictures: Mapping[Path, Thumbnail]) -> str:
    """The text alternative of a photo in a row."""
    told = [f"rank {rank}", photo.name or photo.path.name]
    if photo.badge:
        told.append(photo.badge)
    if photo.relevant is not None:
        told.append("answers the query" if photo.relevant else "does not answer the query")
    if photo.reward is not None:
        told.append(f"reward {wording.value(photo.reward)}")
    problem = pictures[photo.path].problem
    return ", ".join([*told, f"cannot be shown: {problem}"] if problem else told)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"
