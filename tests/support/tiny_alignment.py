"""A gallery of colours, grids on it and a way to align on them: everything real and small, for tests."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import colours

from aesalign_core.alignment.align import AlignResult, align
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.preferences import store as preference_store
from aesalign_core.preferences.pairs import PairsResult, make_pairs
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.settings import Settings
from aesalign_core.types import Rephrasing, Strategy

TRAINED = ("yellow", "cyan", "red", "blue")
HELD_OUT = ("magenta", "white")
"""Colours whose brightest photo is not the nearest to begin with."""
LEVELS = 10
QUICK = {
    "steps": 40, "learning_rate": 0.03, "batch_size": 3, "pretraining_weight": 0.1, "pretraining_batch": 8,
    "checkpoint_every": 10,
}  # fmt: skip


class Beautiful:
    """A rephraser that adds a word; `failing` queries fall back."""

    name = "beautiful"

    class Settings(Settings):
        word: str = "beautiful"

    def __init__(self, word: str = "beautiful", *, failing: Sequence[str] = ()) -> None:
        self.settings = self.Settings(word=word)
        self.failing = failing
        self.batches: list[int] = []

    def rephrase(self, queries: Sequence[str], *, strategy: Strategy) -> list[Rephrasing]:
        self.batches.append(len(queries))
        return [
            Rephrasing(q, q, strategy, self.name, fallback="no answer")
            if q in self.failing
            else Rephrasing(q, f"{q} {self.settings.word}", strategy, self.name)
            for q in queries
        ]


@dataclass(frozen=True)
class World:
    """What the tests share.

    Attributes:
        root: A folder.
        photos: Pictures, `<colour>-<level>.png`.
        gallery: Of them.
        pairs: Grids of the trained colours.
        captions: A CSV of all pictures.
        made: The grids.
    """

    root: Path
    photos: Path
    gallery: Path
    pairs: Path
    captions: Path
    made: PairsResult

    @classmethod
    def at(cls, root: Path) -> World:
        """One that another process made."""
        photos, gallery, pairs, captions = (root / p for p in ("photos", "gallery", "pairs.parquet", "captions.csv"))
        return cls(root, photos, gallery, pairs, captions, preference_store.read(pairs))

    def open(self, builder: Builder | None = None) -> Gallery:
        return Gallery.open(self.gallery, builder or colours.builder())

    def align(self, out: Path, *, captions: bool = True, progress: Any = None, **settings: Any) -> AlignResult:
        return align(
            self.pairs,
            self.gallery,
            out,
            builder(**settings),
            captions=self.captions if captions else None,
            progress=progress,
        )


def builder(**settings: Any) -> Builder:
    """A builder of a quick run."""
    return colours.builder(align=AlignSettings(**{**QUICK, **settings}))


def queries(names: Sequence[str] = TRAINED) -> list[str]:
    return [f"a {name} photo" for name in names]


def make_world(root: Path) -> World:
    """Paints, indexes, cuts grids and writes captions."""
    photos, gallery = root / "photos", root / "gallery"
    for colour in (*TRAINED, *HELD_OUT):
        for level in range(LEVELS):
            colours.paint(photos / f"{colour}-{level}.png", colour, brightness=0.4 + 0.07 * level, seed=level)
    build = colours.builder()
    index(photos, gallery, build)
    pairs = root / "pairs.parquet"
    asked = PairSettings(rows=2, columns=4, candidates=20)
    made = make_pairs(queries(), Gallery.open(gallery, build), build.encoder(), Beautiful(), asked, out=pairs)
    captions = root / "captions.csv"
    with captions.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "caption"])
        writer.writerows([p.name, f"a {p.name.split('-')[0]} picture"] for p in sorted(photos.iterdir()))
    return World(root, photos, gallery, pairs, captions, made)
