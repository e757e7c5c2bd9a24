"""Reading pages as strictly as they are written, and making what stands on them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from aesalign_core.evaluation.statistics import paired_difference
from aesalign_core.report.comparison import ComparedQuery, Comparison, Measure, Tally
from aesalign_core.report.records import Curve, FrontLine, FrontPlot, FrontPoint, GridExample, Photo
from aesalign_core.types import Verdict

HOSTILE = "\"><script>alert(1)</script>\n\u202eevil\x00 'onload=x' &amp; %00 {{7*7}} \udcff"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"attribute given twice: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def noisy(folder: Path, count: int, side: int, *, seed: int = 0) -> list[Path]:
    """Pictures of noise, the worst that a thumbnail can be asked to compress; no two are equal."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, paths = np.random.default_rng(seed), []
    for number in range(count):
        paths.append(folder / f"{number}.bmp")
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(paths[-1])
    return paths


def compared(photo: Path, gain: float = 1.0, query: str = "a query", **kwargs: object) -> ComparedQuery:
    row = (Photo(photo, reward=1.0, similarity=0.5), Photo(photo, badge="blur", relevant=True))
    return ComparedQuery(query, row, row, 0.0, gain, **kwargs)  # type: ignore[arg-type]


def comparison(photo: Path, **kwargs: object) -> Comparison:
    values: dict[str, object] = {
        "title": "T", "old": "o", "new": "n", "measures": (), "queries": (compared(photo),), **kwargs
    }  # fmt: skip
    return Comparison(**values)  # type: ignore[arg-type]


def front(words: str = "a method") -> FrontPlot:
    """Base recall 0.8; the first line keeps more recall than the second at every gain."""
    strong = tuple(FrontPoint(s, r, g) for s, r, g in (("0", 0.8, 0.0), ("1", 0.8, 0.2), ("2", 0.76, 0.4)))
    weak = tuple(FrontPoint(s, r, g) for s, r, g in (("0", 0.8, 0.0), ("0.1", 0.72, 0.2), ("0.2", 0.4, 0.4)))
    lines = (
        FrontLine(words, "strength", strong, "1", (0.3, 0.2, 0.4), False),
        FrontLine(words, "w", weak, "", (0.1, 0.05, 0.15), True),
    )
    return FrontPlot(lines, (0.2, 0.1, 0.3), 0.97, 10, words, 50, 200)


def full(photo: Path, words: str) -> Comparison:
    """Every part of the page, with `words` wherever words can stand."""
    item = Photo(photo, words, 0.2, 0.1, 0.5, words, False, (words,))
    difference = paired_difference([0.0, 0.2, 0.1], [0.5, 0.6, 0.9])
    said = (
        Verdict(words, words, "win", 1.0, 2.0, words, True),
        Verdict(words, words, "loss", reason=words + "!"),
        Verdict(words, words, None, reason=words),
    )
    return Comparison(
        title=words, old=words, new=words, value=words, lede=words, facts=((words, words),), caveats=(words,),
        measures=(Measure(words, difference, words, "share", independent=False),),
        tallies=(Tally(words, 3, 2, 1, difference, 0.04, 0.5, ((words, 2),)),),
        queries=tuple(
            ComparedQuery(words, (item,), (item,), 0.0, g, note=words, verdicts=said[:n])
            for g, n in ((1.0, 1), (-1.0, 3), (0.0, 0))
        ),
        grids=(GridExample(words, words + ".", ((item, item), (item, item)), 4, 2, (9, 9), words, words),),
        curves=(Curve(words, ((1, 0.7), (2, 0.5), (3, 0.4)), (0.6, 0.4, 0.3), (0.8, 0.6, 0.5), 2),),
        settings=((words, words),),
        front=front(words),
    )  # fmt: skip
