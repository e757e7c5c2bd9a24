"""What two systems were asked, and which photos are right, where that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.errors import EvaluationError
from aesalign_core.photo_names import PhotoNames

if TYPE_CHECKING:
    from aesalign_core.captions import Caption, Matched
    from aesalign_core.evaluation.qrels import Qrels
    from aesalign_core.evaluation.systems import System
    from aesalign_core.gallery import Gallery

Answers = Mapping[str, Sequence[str]]
"""By query, the files of the photos that answer it."""


@dataclass(frozen=True, slots=True)
class Question:
    """One query, asked once. Captions of several photos may be the same words: each is a question of its own.

    Attributes:
        query: What was asked.
        unit: What it is resampled together with: all captions of a photo are one unit.
        right: The paths of the photos that answer it; None where nobody knows.
    """

    query: str
    unit: str
    right: frozenset[str] | None = None


def of_gallery(captions: Matched, gallery: Gallery) -> tuple[Question, ...]:
    """Each caption asks for its own photo of a gallery."""
    paths = dict(zip(gallery.ids(), gallery.paths(), strict=True))
    pairs = zip(captions.texts, captions.ids, strict=True)
    return tuple(Question(text, photo, frozenset([paths[photo]])) for text, photo in pairs)


def of_lists(
    queries: Sequence[str], files: Answers, systems: Iterable[System], *, photos_root: Path | None = None
) -> tuple[Question, ...]:
    """The queries of ranked lists, with the right photos of those that have any.

    A photo that no list holds cannot be told from one that is named otherwise: it counts as not found.

    Args:
        queries: What was asked, each once.
        files: By query, word by word, the files of the right photos.
        systems: Whose lists.
        photos_root: What relative files are below.

    Raises:
        EvaluationError: Some queries have right photos, but none of those is in any list.
    """
    photos = {photo.path for system in systems for row in system.rows.values() for photo in row}
    names = PhotoNames((str(Path(path).absolute()), path) for path in sorted(photos))
    questions = []
    for query in queries:
        found = {file: names.find(file, photos_root or Path()) for file in files.get(query, ())}
        right = frozenset(path or f"not listed: {file}" for file, path in found.items())
        questions.append(Question(query, min(found, default=query), right if query in files else None))
    wanted = [question.right for question in questions if question.right]
    if wanted and not any(right & photos for right in wanted):
        raise EvaluationError(
            "none of the right photos is in the lists", hint="name the folder they are relative to: --photos-root"
        )
    return tuple(questions)


def by_captions(captions: Iterable[Caption]) -> Answers:
    """A caption that is a query, word by word, is answered by the photos that it describes."""
    files: dict[str, list[str]] = {}
    for caption in captions:
        files.setdefault(caption.text, []).append(caption.file)
    return files


def by_grades(qrels: Qrels) -> Answers:
    """A query is answered by the photos of a relevance file that have a grade above 0; perhaps by none."""
    return {query: [photo for photo, grade in graded.items() if grade > 0] for query, graded in qrels.items()}
