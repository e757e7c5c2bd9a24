"""Two systems that answered the same queries, whoever they are: files of ranked lists, or encoders over a gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.run_files import Listed, read_lists
from aesalign_core.promises import embedded_texts

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder
    from aesalign_core.types import Match

BATCH = 256
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class System:
    """One system's answers.

    Attributes:
        name: What people call it.
        rows: By query, the photos it found, best first.
    """

    name: str
    rows: Mapping[str, tuple[Listed, ...]]

    def paths(self, queries: Sequence[str]) -> list[list[str]]:
        """The rows of these queries, as a judge sees them."""
        return [[photo.path for photo in self.rows[query]] for query in queries]


def of_file(path: Path, *, k: int, photos_root: Path | None = None) -> System:
    """The system whose ranked lists are in a file.

    Args:
        path: JSON lines or a TREC run.
        k: Photos of each list that are kept.
        photos_root: What relative paths are below.

    Raises:
        EvaluationError: The file cannot be read.
    """

    def rooted(photo: Listed) -> Listed:
        if photos_root is None:
            return photo
        return Listed(str(photos_root / photo.path), photo.score, photo.similarity, photo.rewards)

    lists = read_lists(path)
    return System(path.stem, {query: tuple(map(rooted, photos[:k])) for query, photos in lists.items()})


def of_encoder(
    queries: Iterable[str],
    gallery: Gallery,
    encoder: Encoder,
    *,
    k: int,
    paths: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> System:
    """The system that searches a gallery with an encoder.

    Args:
        queries: What is asked; each is searched once.
        gallery: Where.
        encoder: With what.
        k: Photos of a row.
        paths: By id, what photos are called in the gallery that it is compared with, if that is another.
        progress: Called with queries done and in all.

    Raises:
        SpaceMismatchError: The gallery was filled by another image tower.
    """
    gallery.check_encoder(encoder)
    asked = list(dict.fromkeys(queries))
    rows: dict[str, tuple[Listed, ...]] = {}
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        found = gallery.search(embedded_texts(encoder, part), k)
        rows.update(zip(part, (listed(row, paths) for row in found), strict=True))
        if progress:
            progress(len(rows), len(asked))
    return System(encoder.name, rows)


def listed(matches: Iterable[Match], paths: Mapping[str, str] | None = None) -> tuple[Listed, ...]:
    """What a gallery found, as a row of a system; `paths` by id are used instead of the gallery's own."""
    known = paths or {}
    return tuple(Listed(known.get(m.id, m.path), similarity=m.similarity, rewards=m.rewards) for m in matches)


def in_common(old: System, new: System) -> list[str]:
    """The queries that both answered, in the old one's order.

    Raises:
        EvaluationError: There is none.
    """
    queries = [query for query in old.rows if query in new.rows]
    if not queries:
        raise EvaluationError(
            f"{old.name} and {new.name} have no query in common", hint="ask both systems the same queries"
        )
    return queries
