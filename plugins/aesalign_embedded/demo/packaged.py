"""Material from photographs that installed packages carry: every file's source and flaw is known."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.captions import Caption
from aesalign_core.fingerprints import fingerprint
from aesalign_embedded.demo import photographs
from aesalign_embedded.demo.material import Asked, Pairs
from aesalign_embedded.demo.sources import SOURCES, Source
from aesalign_embedded.demo.split import Split, split_sources

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import Encoder


def key(
    *, seed: int, sources: Sequence[Source] = SOURCES, views: int = photographs.VIEWS,
    copies: int = photographs.COPIES,
) -> str:  # fmt: skip
    """Equal for equal files and an equal split."""
    return fingerprint("packaged", photographs.key(sources, views, copies), seed)


class PackagedPhotographs:
    """Views and flawed copies of photographs in scikit-image and scikit-learn; see `material.Material`."""

    title = "Photographs before and after alignment"
    lede = (
        "The same questions, asked twice of the same pictures: of the encoder as it ships, and of the encoder "
        "aligned with the aesthetic reward. Most pictures are deliberately flawed copies. A good search finds what "
        "was asked for, and shows the copies last."
    )

    def __init__(
        self, folder: Path, *, seed: int = 0, sources: Sequence[Source] = SOURCES, views: int = photographs.VIEWS,
        copies: int = photographs.COPIES, progress: photographs.Progress | None = None,
    ) -> None:  # fmt: skip
        self.sources = sources
        self.splits = split_sources(sources, seed=seed)
        made = photographs.prepare(folder, sources=sources, views=views, copies=copies, progress=progress)
        places = {os.path.abspath(folder / p.path): p for p in made}  # noqa: PTH100 - as the gallery names them
        self.photos: Sequence[Path] = [Path(path) for path in places]
        self.flaws: Mapping[str, str] = {path: p.flaw for path, p in places.items()}
        self.fewest = min(len(split.trained) for split in self.splits) * views * (1 + copies)
        self.source_of: Mapping[str, str] = {path: p.source for path, p in places.items()}
        self.key = key(seed=seed, sources=sources, views=views, copies=copies)
        self.facts: Pairs = (
            ("Pictures", f"{len(made):,}, of them {sum(not p.flaw for p in made)} unflawed"),
            ("Photographs they were made from", str(len(sources))),
            ("Trainings", f"{len(self.splits)}; each photograph is judged once, by an encoder that never saw it"),
        )
        self.caveats: tuple[str, ...] = (
            "A photograph that is judged, with all its views, copies and queries, took no part in the training of "
            f"the encoder that it judges. {len(sources)} photographs are few: intervals resample whole photographs, "
            "and they cannot speak for all.",
            "The flaws are made by a program, and by the same one that made the pairs the reward was taught with, on "
            "other photographs. Flaws from life are subtler.",
        )

    def ask(self, gallery: Gallery, encoder: Encoder) -> list[Asked]:
        """The queries written for each photograph, on the side of each split that it is on."""
        return [self._round(split) for split in self.splits]

    def _round(self, split: Split) -> Asked:
        held_out = [(s.name, q) for s in self.sources if s.name in split.held_out for q in s.queries]
        files = {
            name: frozenset(f for f, source in self.source_of.items() if source == name) for name in split.held_out
        }
        return Asked(
            trainable=[Path(f) for f, source in self.source_of.items() if source in split.trained],
            trained=tuple(q for s in self.sources if s.name in split.trained for q in s.queries),
            held_out=tuple(q for _, q in held_out),
            groups=tuple(name for name, _ in held_out),
            relevant={q: files[name] for name, q in held_out},
            captions=tuple(self._captions(split)),
        )

    def _captions(self, split: Split) -> list[Caption]:
        """Each unflawed view of a trained photograph with one of its queries."""
        queries = {s.name: s.queries for s in self.sources if s.name in split.trained}
        unflawed = [(f, s) for f, s in self.source_of.items() if s in queries and not self.flaws[f]]
        return [Caption(file, queries[source][n % len(queries[source])]) for n, (file, source) in enumerate(unflawed)]
