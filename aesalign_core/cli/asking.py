"""What two systems are asked, and their answers: read from files, or searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from aesalign_core.cli import console
from aesalign_core.errors import EvaluationError, UnknownComponentError

if TYPE_CHECKING:
    from aesalign_core.build import Builder
    from aesalign_core.evaluation.questions import Question
    from aesalign_core.evaluation.systems import System
    from aesalign_core.gallery import Gallery

_LISTS = (".jsonl", ".json", ".txt", ".run", ".trec", ".res")


@dataclass(frozen=True)
class Given:
    """The flags that say what is asked, and of what."""

    gallery: PurePath | None
    against_gallery: PurePath | None
    queries: Path | None
    captions: Path | None
    qrels: Path | None
    photos_root: Path | None
    k: int
    limit: int | None


class Asking:
    """Two systems before they answer: all files are read, nothing is searched yet.

    Args:
        names: Each a file of ranked lists, or an encoder.
        build: Of encoders.
        given: The flags.

    Attributes:
        photos: The gallery, if there is one.
        matched: Captions of its photos, if there are some.
        caveats: What must be said of what is asked.

    Raises:
        AesalignError: Something is missing, or cannot be read.
    """

    def __init__(self, names: tuple[str, str], build: Builder, given: Given) -> None:
        from aesalign_core.captions import match, read_captions
        from aesalign_core.evaluation.qrels import read_qrels
        from aesalign_core.evaluation.questions import by_captions, by_grades
        from aesalign_core.gallery import Gallery

        self._names, self._build, self._given = names, build, given
        self._lists = [_of_file(name, given) for name in names]
        self._captions = read_captions(given.captions) if given.captions else []
        self._right = by_grades(read_qrels(given.qrels)) if given.qrels else by_captions(self._captions)
        self.photos = Gallery.open(given.gallery, build) if given.gallery else None
        self._other = Gallery.open(given.against_gallery, build) if given.against_gallery else self.photos
        root = given.photos_root
        self.matched = (
            match(self._captions, self.photos, photos_root=root) if self.photos and self._captions else None
        )
        self.caveats: list[str] = []
        self._texts = self._chosen(self._asked())
        if self.matched and self.matched.missing:
            self.caveats.append(f"{len(self.matched.missing):,} captioned files are not in the gallery: left out.")

    def answers(self) -> tuple[System, System, tuple[Question, ...]]:
        """Both systems, and the questions that both answered."""
        from aesalign_core.evaluation import questions

        old, new = (
            found or self._searched(name, where)
            for name, found, where in zip(self._names, self._lists, (self.photos, self._other), strict=True)
        )
        if self.photos and self.matched and not (self._given.queries or self._given.qrels or any(self._lists)):
            chosen = set(self._texts)
            asked = tuple(one for one in questions.of_gallery(self.matched, self.photos) if one.query in chosen)
        else:
            root = self._given.photos_root
            asked = questions.of_lists(self._texts, self._right, (old, new), photos_root=root)
        if self._right and not any(one.right for one in asked):
            self.caveats.append("Nobody said which photos are right for any of these queries, word by word.")
        return old, new, asked

    def _asked(self) -> list[str]:
        from aesalign_core.queries import read_queries

        if self._given.queries:
            return read_queries(self._given.queries)
        if any(self._lists):
            return [query for system in self._lists if system for query in system.rows]
        if self.matched:
            return list(self.matched.texts)
        raise EvaluationError("encoders must be asked something", hint="add --queries FILE, or --captions CSV")

    def _chosen(self, texts: Sequence[str]) -> list[str]:
        """Each query once, of those that both can answer, and no more than were asked for."""
        every, limit = list(dict.fromkeys(texts)), self._given.limit
        kept = [text for text in every if all(text in system.rows for system in self._lists if system)]
        if not kept:
            both = " and ".join(self._names)
            raise EvaluationError(f"{both} have no query in common", hint="ask both systems the same queries")
        if len(kept) < len(every):
            self.caveats.append(f"{len(every) - len(kept):,} queries were not answered by both: left out.")
        if limit and len(kept) > limit:
            self.caveats.append(f"Of {len(kept):,} queries {limit:,} were compared, evenly chosen.")
            kept = [kept[place * len(kept) // limit] for place in range(limit)]
        return kept

    def _searched(self, name: str, gallery: Gallery | None) -> System:
        from aesalign_core.evaluation import systems

        assert gallery is not None and self.photos is not None  # noqa: S101, PT018 - `_of_file` saw to it
        try:
            encoder = self._build.encoder(name)
        except UnknownComponentError as error:
            told = f"{name} is neither a file of ranked lists nor an encoder"
            raise EvaluationError(told, hint=error.hint) from None
        # The same photo may lie elsewhere in the other gallery; rows are compared by the first one's paths.
        paths = {} if gallery is self.photos else dict(zip(self.photos.ids(), self.photos.paths(), strict=True))
        with console.progress(f"searching with {encoder.name}") as progress:
            return systems.of_encoder(self._texts, gallery, encoder, k=self._given.k, paths=paths, progress=progress)


def _of_file(name: str, given: Given) -> System | None:
    """The system whose lists are in a file; None: it is to be an encoder.

    Raises:
        EvaluationError: It is neither, by its looks.
    """
    from aesalign_core.evaluation import systems

    if Path(name).is_file():
        return systems.of_file(Path(name), k=given.k, photos_root=given.photos_root)
    if Path(name).suffix.lower() in _LISTS:
        raise EvaluationError(f"there is no file {name}", hint="give ranked lists, or an encoder and --gallery")
    if given.gallery is None:
        raise EvaluationError(
            f"{name} is no file of ranked lists, and as an encoder it needs photos", hint="add --gallery"
        )
    return None
