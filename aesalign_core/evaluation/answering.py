"""An encoder's answers: the photos nearest to each caption, and where each photo ranks its own captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aesalign_core.evaluation.metrics import PerQuery, expected_hit
from aesalign_core.evaluation.retrieval import DEPTHS, Rankings
from aesalign_core.promises import embedded_texts
from aesalign_core.types import Vectors

if TYPE_CHECKING:
    from aesalign_core.captions import Matched
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder

BATCH = 256
_SCORES = 1 << 24
"""Similarities held at a time: 64 MB."""
Progress = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and of how much."""
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """Captions, each distinct text once: equal texts must have equal scores, to the last bit.

    Attributes:
        texts: t distinct ones.
        number: (n,) which of them each caption is.
        counts: (t,) how many captions each is.
        own: By photo, how often it has each of its texts.
    """

    texts: tuple[str, ...]
    number: Counts
    counts: Counts
    own: dict[str, dict[int, int]]


def search_all(
    queries: Sequence[str], gallery: Gallery, encoder: Encoder, *, k: int, progress: Progress | None = None
) -> dict[str, list[str]]:
    """By query, ids of the k nearest photos, best first.

    Raises:
        SpaceMismatchError: The gallery was filled by another image tower.
    """
    gallery.check_encoder(encoder)
    told = progress or _silent
    vectors = _embedded(encoder, queries, told)
    return dict(zip(queries, _photos(vectors, gallery, k, None, told), strict=True))


def distinct(matched: Matched) -> Texts:
    """Sorts out which captions are the same text."""
    known: dict[str, int] = {}
    number = np.array([known.setdefault(text, len(known)) for text in matched.texts], dtype=np.int64)
    own: dict[str, dict[int, int]] = {}
    for photo, text in zip(matched.ids, number.tolist(), strict=True):
        of_photo = own.setdefault(photo, {})
        of_photo[text] = of_photo.get(text, 0) + 1
    return Texts(tuple(known), number, np.bincount(number).astype(np.int64), own)


def answer(
    matched: Matched,
    gallery: Gallery,
    encoder: Encoder,
    *,
    k: int = max(DEPTHS),
    depths: Sequence[int] = DEPTHS,
    only_captioned: bool = False,
    progress: Progress | None = None,
) -> Rankings:
    """Asks for the photos of every caption, and for the captions of every captioned photo.

    Args:
        matched: Captions and the photo of each.
        gallery: Where photos are searched.
        encoder: Whose image tower filled the gallery.
        k: Photos per caption.
        depths: The k of the recalls of own captions.
        only_captioned: Whether photos without captions are left out of the search, as published protocols do.
        progress: Told of each phase.

    Raises:
        SpaceMismatchError: The gallery was filled by another image tower.
    """
    gallery.check_encoder(encoder)
    told = progress or _silent
    texts = distinct(matched)
    vectors = _embedded(encoder, texts.texts, told)
    photos = list(texts.own)
    among = sorted(photos) if only_captioned else None
    per_text = list(_photos(vectors, gallery, k, among, told))
    ids = [per_text[number] for number in texts.number.tolist()]
    return Rankings(encoder.name, ids, _own_captions(texts, vectors, gallery, depths, told), photos)


def _silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""


def _embedded(encoder: Encoder, texts: Sequence[str], told: Progress) -> Vectors:
    parts = []
    for start in range(0, len(texts), BATCH):
        parts.append(embedded_texts(encoder, texts[start : start + BATCH]))
        told("embedding texts", min(start + BATCH, len(texts)), len(texts))
    return np.concatenate(parts)


def _photos(
    vectors: Vectors, gallery: Gallery, k: int, among: Sequence[str] | None, told: Progress
) -> Iterator[list[str]]:
    """For each of q vectors the k nearest photos, ties by id; among these (sorted) ids only, if any are given."""
    table = None if among is None else gallery.vectors(among)
    for start in range(0, len(vectors), BATCH):
        part = vectors[start : start + BATCH]
        if among is None or table is None:
            yield from ([match.id for match in found] for found in gallery.search(part, k))
        else:
            yield from ([among[i] for i in _top(row, k)] for row in part @ table.T)
        told("text→image", min(start + BATCH, len(vectors)), len(vectors))


def _top(scores: Vectors, k: int) -> list[int]:
    """Positions of the k highest scores, highest first; ties by position."""
    least = np.partition(scores, -k)[-k] if k < len(scores) else -np.inf
    candidates = np.flatnonzero(scores >= least)
    top: list[int] = candidates[np.argsort(-scores[candidates], kind="stable")][:k].tolist()
    return top


def _own_captions(
    texts: Texts, vectors: Vectors, gallery: Gallery, depths: Sequence[int], told: Progress
) -> dict[int, PerQuery]:
    """By depth, for each captioned photo the chance that one of its own captions is among the first k of all."""
    photos = list(texts.own)
    step = max(1, min(1_024, _SCORES // len(vectors)))
    parts = []
    for start in range(0, len(photos), step):
        chunk = photos[start : start + step]
        parts.append(_places(gallery.vectors(chunk) @ vectors.T, [texts.own[photo] for photo in chunk], texts.counts))
        told("image→text", min(start + step, len(photos)), len(photos))
    above, tied, own = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {k: expected_hit(above, tied, own, k) for k in depths}


def _places(scores: Vectors, own: Sequence[dict[int, int]], counts: Counts) -> tuple[Counts, Counts, Counts]:
    """Where p photos rank their own captions.

    Args:
        scores: (p, t) similarities of photos and distinct texts.
        own: For each photo, how often it has each of its texts.
        counts: (t,) how many captions each text is.

    Returns:
        (p,) captions above the best own one; (p,) others at its score; (p,) own ones at its score.
    """
    best = np.array([row[list(mine)].max() for row, mine in zip(scores, own, strict=True)])
    at_best = np.array(
        [
            sum(n for text, n in mine.items() if row[text] == top)
            for row, mine, top in zip(scores, own, best, strict=True)
        ]
    )
    above = (scores > best[:, None]) @ counts
    return above, (scores == best[:, None]) @ counts - at_best, at_best
