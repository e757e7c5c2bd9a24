"""A page of what a search found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aesalign_core.files import write_text
from aesalign_core.report import wording
from aesalign_core.report.records import Photo
from aesalign_core.report.templating import document, illustrated
from aesalign_core.report.thumbnails import Album, Progress
from aesalign_core.types import Hit, SearchResult

MAX_QUERIES = 100
MAX_PHOTOS = 2_000
"""Of all queries together."""
LARGEST = 512
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One query's photos."""

    query: str
    photos: tuple[Photo, ...]
    more: int = 0
    rephrased: str = ""
    fallback: str = ""


def write_hits(
    path: Path,
    results: Sequence[SearchResult],
    *,
    asked: int = 0,
    reward: str | None = None,
    facts: Pairs = (),
    progress: Progress | None = None,
) -> Path:
    """Writes a page of photos; an older one stays until the new one is whole.

    Args:
        path: The HTML file.
        results: One or more answers; the first `MAX_QUERIES` are shown.
        asked: How many queries were answered, if `results` are only some of them.
        reward: The reward that is shown with photos, if they have it.
        facts: Label and value.
        progress: Called with (done, total) thumbnails.

    Returns:
        `path`.

    Raises:
        AesalignError: It cannot be written.
    """
    most = max(1, MAX_PHOTOS // min(len(results), MAX_QUERIES))
    answers = [_answer(result, reward, most) for result in results[:MAX_QUERIES]]
    photos = (photo.path for answer in answers for photo in answer.photos)
    make = partial(_document, answers, max(asked, len(results)) - len(answers), facts)
    write_text(path, illustrated(make, photos, largest=LARGEST, progress=progress))
    return path


def _document(answers: Sequence[_Answer], left_out: int, facts: Pairs, album: Album) -> str:
    title = answers[0].query if len(answers) == 1 else wording.plural(len(answers), "query")
    return document("hits.html.j2", album=album, title=title, answers=answers, left_out=left_out, facts=facts)


def _answer(result: SearchResult, reward: str | None, most: int) -> _Answer:
    said = result.rephrasing
    text = said.text if said and said.text != result.query else ""
    return _Answer(
        query=result.query,
        photos=tuple(_photo(hit, reward) for hit in result.hits[:most]),
        more=max(0, len(result.hits) - most),
        rephrased=text,
        fallback=(said.fallback or "") if said else "",
    )


def _photo(hit: Hit, reward: str | None) -> Photo:
    others = (f"{name} {wording.value(score)}" for name, score in sorted(hit.rewards.items()) if name != reward)
    return Photo(
        path=Path(hit.path),
        score=None if hit.score == hit.similarity else hit.score,
        similarity=hit.similarity,
        reward=hit.rewards.get(reward) if reward else None,
        notes=tuple(others),
    )
