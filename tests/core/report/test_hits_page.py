"""The page of what a search found."""

from __future__ import annotations

from pathlib import Path

import pytest
from html_pages import HOSTILE, Page, noisy
from PIL import Image

from aesalign_core.report.hits_page import LARGEST, MAX_QUERIES, write_hits
from aesalign_core.types import Hit, Rephrasing, SearchResult


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "100% <i>größe شاطئ.png"
    Image.linear_gradient("L").convert("RGB").resize((600, 400)).save(path)
    return path


def result(photo: Path, query: str = "a query", hits: int = 2, rephrasing: Rephrasing | None = None) -> SearchResult:
    found = tuple(
        Hit(str(k), str(photo), 0.9 - k / 10, 0.9 - k / 10 - k, {"beauty": 5.0, "x": 1.5}) for k in range(hits)
    )
    return SearchResult(query, found, rephrasing)


def page(folder: Path, *results: SearchResult, **kwargs: object) -> tuple[str, Page]:
    text = write_hits(folder / "hits.html", results, **kwargs).read_text(encoding="utf-8")  # type: ignore[arg-type]
    return text, Page(text)


def test_photos_come_in_order_with_their_scores(photo: Path, tmp_path: Path) -> None:
    text, read = page(tmp_path, result(photo), reward="beauty", facts=(("Gallery", "9 photos"),))
    labels = [a["aria-label"] or "" for _, a in read.elements if a.get("role") == "img"]
    assert labels[0] == f"rank 1, {photo.name}, similarity 0.900, reward 5.00, x 1.50"
    assert labels[1] == f"rank 2, {photo.name}, score 0.800, similarity −0.200, reward 5.00, x 1.50"
    assert "9 photos" in read.text
    assert text.count("data:image/webp") == 1
    assert f'<image width="{LARGEST}"' in text


def test_what_was_searched_instead_is_said(photo: Path, tmp_path: Path) -> None:
    said = Rephrasing("a query", "a query, well lit", "k_list", "template")
    assert "Searched as a query, well lit ." in page(tmp_path, result(photo, rephrasing=said))[1].text
    failed = Rephrasing("a query", "a query", "k_list", "litellm", fallback="no <answer>")
    assert "Not rephrased: no <answer> ." in page(tmp_path, result(photo, rephrasing=failed))[1].text


def test_nothing_found_is_said(photo: Path, tmp_path: Path) -> None:
    assert "No photo matches." in page(tmp_path, result(photo, hits=0))[1].text


def test_many_queries_have_headings_and_the_rest_is_counted(photo: Path, tmp_path: Path) -> None:
    results = [result(photo, f"query {k}", hits=1) for k in range(MAX_QUERIES + 3)]
    _, read = page(tmp_path, *results)
    assert len(read.all("h2")) == MAX_QUERIES
    assert f"3 more queries were answered; this page shows the first {MAX_QUERIES}." in read.text
    _, one = page(tmp_path, *results[:2], asked=3)
    assert "1 more query was answered; this page shows the first 2." in one.text


def test_too_many_photos_are_counted(tmp_path: Path) -> None:
    (path,) = noisy(tmp_path / "p", 1, 8)
    _, read = page(tmp_path, result(path, hits=2_005))
    assert "5 more photos were found; this page shows the first 2000." in read.text


def test_hostile_queries_and_names_stay_words(photo: Path, tmp_path: Path) -> None:
    _, hostile = page(tmp_path, result(photo, HOSTILE))
    _, plain = page(tmp_path, result(photo, "words"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert not hostile.all("script")


def test_a_query_of_ten_thousand_characters_is_folded(photo: Path, tmp_path: Path) -> None:
    text, read = page(tmp_path, result(photo, "long " * 2_000))
    assert "The whole query, 10,000 characters" in read.text
    assert text.count("long " * 1_500) == 1
