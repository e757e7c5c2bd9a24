"""Material from the user's own folder: nothing is known of its photos but what captions say, if there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aesalign_core.captions import TRAINING, Caption, match, read_captions
from aesalign_core.errors import GalleryError, QueryError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.images.decoding import find_photos
from aesalign_core.queries import read_queries
from aesalign_embedded.demo.material import Asked, Pairs
from aesalign_embedded.demo.split import Split, split_names

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder

FEWEST_PHOTOS = 20
FEWEST_QUERIES = 4
HELD_OUT = 0.3
CONCEPTS = 200
"""Queries chosen from the list of everyday ones; the photos decide which."""
MOST_CAPTIONED = 600
"""Photos whose captions are asked."""


class OwnPhotographs:
    """The user's photos; see `material.Material`."""

    title = "Your photos before and after alignment"
    lede = (
        "The same questions, asked twice of your photos: of the encoder as it ships, and of the encoder aligned with "
        "the reward. The questions shown were held out of the training."
    )

    def __init__(
        self,
        photos: Path,
        *,
        out: Path,
        captions: Path | None = None,
        queries: Path | None = None,
        limit: int = 0,
        seed: int = 0,
    ) -> None:
        # What the demonstration itself wrote (a plot, for one) is none of the user's photos.
        found = [path for path in find_photos(photos) if not path.is_relative_to(out.absolute())]
        if len(found) < FEWEST_PHOTOS:
            raise GalleryError(
                f"{photos} holds {len(found)} photos, too few to compare rankings",
                hint=f"give a folder of at least {FEWEST_PHOTOS}, some hundred are better",
            )
        self._root = photos if photos.is_dir() else photos.parent
        self._captions = read_captions(captions, default=TRAINING) if captions else []
        self._queries = read_queries(queries) if queries else []
        self._seed = seed
        self.photos: Sequence[Path] = spread(found, limit)
        self.fewest = len(self.photos)
        self.flaws: Mapping[str, str] = {}
        self.key = fingerprint(
            "own", str(photos.absolute()), limit, seed, [[c.file, c.text] for c in self._captions], self._queries
        )
        self.facts: Pairs = (("Photos", f"{len(self.photos):,}"),)
        self.caveats: tuple[str, ...] = (
            "Queries are held out, photos are not: those searched here were candidates in training too.",
        )
        if len(self.photos) < len(found):
            self.caveats += (f"To keep it short, only {len(self.photos):,} of {len(found):,} photos were used.",)
        if not self._captions:
            self.caveats += (
                "Without captions nobody knows which photos answer a query: recall is not measured, and the loss "
                "that keeps it (pre-training) is off.",
            )

    def ask(self, gallery: Gallery, encoder: Encoder) -> list[Asked]:
        """One round of the user's own queries, or captions, or the everyday queries that fit these photos best."""
        if self._captions:
            return [self._ask_captions(gallery)]
        queries = self._queries or fitting(concepts(), gallery, encoder, count=CONCEPTS)
        if len(set(queries)) < FEWEST_QUERIES:
            raise QueryError("too few different queries to hold some out", hint=f"give at least {FEWEST_QUERIES}")
        split = split_names(queries, held_out=HELD_OUT, seed=self._seed)
        return [Asked(self.photos, split.trained, split.held_out, groups=split.held_out)]

    def _ask_captions(self, gallery: Gallery) -> Asked:
        """One caption per photo is asked; which photos are judged is drawn. Only the others' captions are trained."""
        matched = match(self._captions, gallery, photos_root=self._root)
        place = dict(zip(gallery.ids(), gallery.paths(), strict=True))
        told: dict[str, list[str]] = {}
        for text, name in zip(matched.texts, matched.ids, strict=True):
            told.setdefault(name, []).append(text)
        if len(told) < FEWEST_QUERIES:
            raise QueryError("too few captioned photos to hold some out", hint=f"caption at least {FEWEST_QUERIES}")
        split = self._split_captioned(list(told))
        first = {name: told[name][0] for name in (*split.trained, *split.held_out)}
        trained = tuple(dict.fromkeys(first[n] for n in split.trained))
        asked = {first[n]: n for n in split.held_out if first[n] not in trained}
        if not asked:
            raise QueryError("every held-out caption is one of the trained ones", hint="caption photos differently")
        return Asked(
            trainable=self.photos,
            trained=trained,
            held_out=tuple(asked),
            groups=tuple(asked.values()),
            relevant={text: frozenset([place[name]]) for text, name in asked.items()},
            captions=tuple(Caption(place[n], text) for n in split.trained for text in told[n]),
        )

    def _split_captioned(self, names: Sequence[str]) -> Split:
        drawn = split_names(sorted(names), held_out=HELD_OUT, seed=self._seed)
        keep = round(MOST_CAPTIONED * HELD_OUT)
        return Split(drawn.trained[: MOST_CAPTIONED - keep], drawn.held_out[:keep])


def spread(paths: Sequence[Path], limit: int) -> list[Path]:
    """At most `limit` paths, evenly over the list; 0: all."""
    if not 0 < limit < len(paths):
        return list(paths)
    return [paths[i * len(paths) // limit] for i in range(limit)]


def concepts() -> list[str]:
    """The built-in list of everyday queries."""
    text = (files("aesalign_embedded.demo") / "concepts.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def fitting(queries: Sequence[str], gallery: Gallery, encoder: Encoder, *, count: int, top: int = 10) -> list[str]:
    """The queries that some photos answer much better than the rest of the gallery does.

    Args:
        queries: To choose from.
        gallery: The photos.
        encoder: Whose image tower filled it.
        count: How many to choose at most.
        top: How many photos an answer is.

    Returns:
        Chosen queries, best fitting first.
    """
    vectors = encoder.encode_texts(queries)
    middle = gallery.vectors().mean(axis=0)
    found = gallery.search(vectors, min(top, len(gallery)))
    near = np.array([np.mean([match.similarity for match in row]) for row in found])
    order = np.argsort(-(near - vectors @ middle), kind="stable")[:count]
    return [queries[i] for i in order]
