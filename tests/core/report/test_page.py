"""The page a stranger opens: complete in itself, safe with hostile names, honest about gains and losses."""

from __future__ import annotations

import base64
import hashlib
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from html_pages import HOSTILE, Page, compared, comparison, full, noisy
from PIL import Image

from aesalign_core.errors import AesalignError, EvaluationError
from aesalign_core.evaluation.statistics import Difference
from aesalign_core.report import wording
from aesalign_core.report.comparison import ComparedQuery, Measure
from aesalign_core.report.page import render, write_comparison
from aesalign_core.report.records import Photo


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "a.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 40)).save(path)
    return path


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


@pytest.mark.slow
def test_a_hundred_queries_of_two_thousand_noisy_photos_stay_under_ten_megabytes(tmp_path: Path) -> None:
    paths = noisy(tmp_path / "photos", 2_000, 96)
    rows = [tuple(Photo(p, reward=1.0, similarity=0.5) for p in paths[i : i + 10]) for i in range(0, 2_000, 10)]
    queries = tuple(ComparedQuery(f"query {i}", rows[i], rows[i + 100], 0.0, i - 50.0) for i in range(100))
    path = write_comparison(tmp_path / "page.html", comparison(paths[0], queries=queries))
    assert path.stat().st_size < 10_000_000
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/webp") == 2_000
    told = re.search(r"its 2,000 photos are at most (\d+) pixels wide or high, at a WebP quality of (\d+)", text)
    assert told is not None
    widths = {int(width) for width in re.findall(r'<image width="(\d+)"', text)}
    assert widths == {int(told[1])}
    assert max(widths) > 40  # still photos, not dots


def test_pictures_are_whole_however_long_their_data_are(tmp_path: Path) -> None:
    (path,) = noisy(tmp_path / "photos", 1, 256)
    (uri,) = re.findall(r'href="data:image/webp;base64,([^"]+)"', render(comparison(path)))
    assert len(uri) > 2 * wording.MAX_TEXT
    picture = Image.open(BytesIO(base64.b64decode(uri, validate=True)))
    assert np.abs(np.asarray(picture, np.float32) - np.asarray(Image.open(path), np.float32)).mean() < 60


def test_a_page_of_few_photos_says_nothing_of_their_size(photo: Path) -> None:
    assert "WebP" not in Page(render(comparison(photo))).text


def test_long_words_take_room_from_pictures_and_the_page_stays_small(tmp_path: Path) -> None:
    paths = noisy(tmp_path / "photos", 200, 256)
    long = "<" * 100_000  # each becomes four characters
    rows = [tuple(Photo(p) for p in paths[i : i + 2]) for i in range(0, 200, 2)]
    queries = tuple(ComparedQuery(f"{i}{long}", rows[i], rows[i - 1], 0.0, i - 50.0) for i in range(100))
    text = render(comparison(paths[0], queries=queries))
    assert 8_000_000 < len(text.encode()) < 10_000_000
    assert text.count("data:image/webp") == 200


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
