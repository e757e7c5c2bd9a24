"""The page a stranger opens: complete in itself, safe with hostile names, honest about gains and losses."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesalign_core.errors import AesalignError, EvaluationError
from aesalign_core.evaluation.statistics import Difference, paired_difference
from aesalign_core.report.choosing import choose
from aesalign_core.report.comparison import ComparedQuery, Comparison, Measure, Tally
from aesalign_core.report.page import render, write_comparison
from aesalign_core.report.records import Curve, GridExample, Photo

HOSTILE = "\"><script>alert(1)</script>\n\u202eevil\x00 'onload=x' &amp; \udcff"
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


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(path)
    return path


def compared(photo: Path, gain: float = 1.0, query: str = "a query", **kwargs: object) -> ComparedQuery:
    row = (Photo(photo, reward=1.0, similarity=0.5), Photo(photo, badge="blur", relevant=True))
    return ComparedQuery(query, row, row, 0.0, gain, **kwargs)  # type: ignore[arg-type]


def comparison(photo: Path, **kwargs: object) -> Comparison:
    values: dict[str, object] = {
        "title": "T", "old": "o", "new": "n", "measures": (), "queries": (compared(photo),), **kwargs
    }  # fmt: skip
    return Comparison(**values)  # type: ignore[arg-type]


def full(photo: Path, words: str) -> Comparison:
    """Every part of the page, with `words` wherever words can stand."""
    item = Photo(photo, name=words, badge=words, reward=0.5, similarity=0.1, relevant=False)
    difference = paired_difference([0.0, 0.2, 0.1], [0.5, 0.6, 0.9])
    return Comparison(
        title=words, old=words, new=words, value=words, lede=words, facts=((words, words),), caveats=(words,),
        measures=(Measure(words, difference, words, "share", independent=False),),
        tallies=(Tally(words, 3, 2, 1),),
        queries=tuple(ComparedQuery(words, (item,), (item,), 0.0, g, note=words) for g in (1.0, -1.0, 0.0)),
        grids=(GridExample(words, words, ((item, item), (item, item))),),
        curves=(Curve(words, ((1, 0.7), (2, 0.5), (3, 0.4))),),
    )  # fmt: skip


def test_hostile_words_stay_words(photo: Path) -> None:
    hostile, plain = Page(render(full(photo, HOSTILE))), Page(render(full(photo, "words")))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert not hostile.all("script")
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    assert any("<script>alert(1)</script>" in words for words in hostile.words)


def test_hostile_words_leave_no_control_characters_and_can_be_written(photo: Path, tmp_path: Path) -> None:
    text = write_comparison(tmp_path / "page.html", full(photo, HOSTILE)).read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", text)


def test_words_of_either_direction_are_isolated(photo: Path) -> None:
    query = "شاطئ عند الغروب"
    text = render(comparison(photo, queries=(compared(photo, query=query),)))
    assert re.search(rf"<bdi[^>]*>{query}</bdi>", text)


def test_the_page_loads_nothing(photo: Path) -> None:
    text = render(full(photo, "words"))
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    assert "@import" not in text
    sources = [a[name] for _, a in page.elements for name in ("src", "href", "srcset", "xlink:href") if a.get(name)]
    assert sources
    assert all(s.startswith(("data:image/webp;base64,", "#")) for s in sources if s)


def test_the_policy_admits_exactly_the_style_in_the_page(photo: Path) -> None:
    text = render(comparison(photo))
    page = Page(text)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-" + digest + "'")
    assert not any("style" in attributes for _, attributes in page.elements)


def test_every_picture_has_words_and_every_reference_a_target(photo: Path) -> None:
    page = Page(render(full(photo, "words")))
    pictures = [a for _, a in page.elements if a.get("role") == "img"]
    assert pictures
    assert all(a.get("aria-label") for a in pictures)
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in page.all("use")} <= {f"#{i}" for i in ids}
    assert {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a} <= set(ids)


def test_a_photo_shown_many_times_is_stored_once(photo: Path) -> None:
    text = render(comparison(photo, queries=tuple(compared(photo, query=f"q{i}") for i in range(30))))
    assert text.count("data:image/") == 1


def test_a_photo_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    page = Page(render(comparison(broken, queries=(compared(broken), compared(tmp_path / "gone.png")))))
    labels = [a["aria-label"] for _, a in page.elements if a.get("role") == "img"]
    assert any("cannot be shown" in label for label in labels if label)
    assert any("no such file" in label for label in labels if label)


def test_a_hundred_queries_of_different_photos_stay_under_ten_megabytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 160, 160, 3), dtype=np.uint8)
    paths = []
    for number, pixels in enumerate(noise):  # noise is the worst that a thumbnail can be asked to compress
        paths.append(tmp_path / f"{number}.bmp")
        Image.fromarray(pixels).save(paths[-1])
    rows = [tuple(Photo(p) for p in paths[i : i + 10]) for i in range(0, 400, 10)]
    queries = tuple(ComparedQuery(f"q{i}", rows[i % 40], rows[(i + 7) % 40], 0.0, i - 50.0) for i in range(100))
    path = write_comparison(tmp_path / "page.html", comparison(paths[0], queries=queries))
    assert path.stat().st_size < 10_000_000


def test_gains_come_first_then_losses_and_nothing_is_shown_twice(photo: Path) -> None:
    gains = [0.5, -0.1, 2.0, 0.0, -3.0, 1.0, 0.2, 0.3, 0.4]
    shown = choose(comparison(photo, queries=tuple(compared(photo, g, f"q{g}") for g in gains)), highlights=3)
    assert [q.gain for q in shown.gains] == [2.0, 1.0, 0.5]
    assert [q.gain for q in shown.losses] == [-3.0, -0.1]
    assert [q.gain for q in shown.rest] == [0.4, 0.3, 0.2, 0.0]
    assert shown.left_out == 0


def test_a_query_that_shows_fewer_right_photos_is_a_loss_whatever_it_gained(photo: Path) -> None:
    right, wrong = Photo(photo, relevant=True), Photo(photo, relevant=False)
    queries = (
        ComparedQuery("kept", (right, wrong), (wrong, right), 0.0, 1.0),
        ComparedQuery("betrayed", (right, right), (wrong, wrong), 0.0, 9.0),
        ComparedQuery("one less", (right, right), (right, wrong), 0.0, -5.0),
        ComparedQuery("hopeless", (wrong, wrong), (wrong, wrong), 0.0, 8.0),
        ComparedQuery("found", (wrong, wrong), (right, wrong), 0.0, 0.5),
    )
    page = comparison(photo, queries=queries)
    shown = choose(page)
    assert [q.query for q in shown.gains] == ["kept", "found"]
    assert [q.query for q in shown.losses] == ["betrayed", "one less"]
    assert [q.query for q in shown.rest] == ["hopeless"]
    assert "count as gains" in " ".join(Page(render(page)).words)
    unknown = comparison(photo, queries=(ComparedQuery("q", (Photo(photo),), (Photo(photo),), 0.0, 1.0),))
    assert "count as gains" not in " ".join(Page(render(unknown)).words)


def test_too_many_queries_keep_the_extremes_of_both_ends_and_say_so(photo: Path) -> None:
    page = comparison(photo, queries=tuple(compared(photo, float(g), f"q{g}") for g in range(-60, 61)))
    shown = choose(page, most=100)
    assert sorted(q.gain for q in shown.all) == [float(g) for g in [*range(-60, -10), *range(11, 61)]]
    assert shown.left_out == 21
    assert "21 queries between the gains and the losses are left out" in " ".join(Page(render(page)).words)


def test_without_gains_or_losses_the_page_says_so(photo: Path) -> None:
    words = " ".join(Page(render(comparison(photo, queries=(compared(photo, 0.0),)))).words)
    assert "No query gained." in words
    assert "No query lost." in words


def test_an_empty_row_and_an_interval_without_ends_are_told(photo: Path) -> None:
    endless = Difference(0.1, 0.2, 0.1, -float("inf"), float("inf"), 0.95, 1)
    query = ComparedQuery("q", (), (), 0.0, float("nan"))
    words = " ".join(Page(render(comparison(photo, queries=(query,), measures=(Measure("m", endless),)))).words)
    assert "Nothing was found." in words
    assert "interval none: one query says nothing about spread" in words


def test_a_comparison_of_nothing_is_refused(photo: Path) -> None:
    with pytest.raises(EvaluationError, match="without a query"):
        comparison(photo, queries=())


def test_a_page_that_cannot_be_written_is_one_clear_error(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(AesalignError, match="cannot write"):
        write_comparison(tmp_path / "file" / "page.html", comparison(photo))
