"""What a demonstration runs on: photographs, queries, and what is known of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aesalign_core.captions import Caption

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder


Pairs = tuple[tuple[str, str], ...]
"""Labels and values."""


class StageProgress(Protocol):
    """Called as the work goes on."""

    def __call__(self, stage: str, done: int, total: int, numbers: Mapping[str, float] | None = None) -> None:
        """So many of so many steps of a stage are done; `numbers` are what a training step logged."""
        ...


@dataclass(frozen=True)
class Asked:
    """One round: queries to train on, and others that the encoder so trained is judged by.

    Attributes:
        trainable: The files that grids are cut from.
        trained: Queries that grids are made for.
        held_out: Queries that are judged.
        groups: Per held-out query, the unit that is resampled: queries about one photograph are not independent.
        relevant: Per held-out query, the files that answer it; empty where nobody knows.
        captions: For the pre-training loss; none about a held-out photograph.
    """

    trainable: Sequence[Path]
    trained: tuple[str, ...]
    held_out: tuple[str, ...]
    groups: tuple[str, ...]
    relevant: Mapping[str, frozenset[str]] = field(default_factory=dict)
    captions: tuple[Caption, ...] = ()


def joined(rounds: Sequence[Asked]) -> Asked:
    """What is judged in all rounds."""
    return Asked(
        trainable=(),
        trained=(),
        held_out=tuple(q for asked in rounds for q in asked.held_out),
        groups=tuple(g for asked in rounds for g in asked.groups),
        relevant={query: files for asked in rounds for query, files in asked.relevant.items()},
    )


class Material(Protocol):
    """Photographs to demonstrate on.

    Attributes:
        photos: All files; what is judged searches them.
        fewest: How many files there are to cut grids from, at least.
        flaws: What is wrong with a file, by its path; empty text: nothing. An empty map: nobody knows.
        key: Equal for equal photos, queries and split.
        title: Of the page.
        lede: What was compared.
        facts: Labels and values for the page.
        caveats: What a reader must keep in mind.
    """

    photos: Sequence[Path]
    fewest: int
    flaws: Mapping[str, str]
    key: str
    title: str
    lede: str
    facts: Pairs
    caveats: tuple[str, ...]

    def ask(self, gallery: Gallery, encoder: Encoder) -> list[Asked]:
        """The rounds, no query held out in two; chosen with nothing but the gallery and the encoder that ships."""
        ...
